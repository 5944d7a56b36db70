"""Structural mutations of ONNX models: what exporters, converters and people get wrong.

Each mutation takes (random, model, donors) and changes the model in place; `donors` are other models to
take nodes from. They keep the file readable as protobuf; bytes are damaged elsewhere.
"""
import os

import numpy
import onnx
from onnx import TensorProto, helper, numpy_helper

EXTENTS = [0, 1, 2, 3, 7, -1, -2, 1 << 16, 1 << 31, (1 << 31) - 1, 1 << 40, 1 << 62, (1 << 63) - 1, -(1 << 63)]
INTEGERS = EXTENTS + [-3, -7, 100, -100, 1 << 32]
FLOATS = [0.0, -0.0, 1.0, -1.0, 0.5, 1e-45, 1e38, -3.4e38, 65504.0, 65520.0, float("inf"), float("-inf"), float("nan")]
OPERATORS = sorted({schema.name for schema in onnx.defs.get_all_schemas() if schema.domain == ""})
# No float64 -> string or the like would get through a checker, and none of these checks before it reads.
TYPES = [value for name, value in TensorProto.DataType.items()]
STRINGS = ["", "x", "SAME_UPPER", "VALID", "NOTSET", "sum", "none", "LSTM", "constant", "wrap", "a" * 5000, "..->..", "ij,jk->ik",
           "iii->i", "ä\n\t", "'\"\\", "%s%n", "bidirectional", "reverse", "linear", "round_prefer_floor"]


def subgraphs(graph):
    """The graph and all graphs inside its nodes, without recursion."""
    found = [graph]
    for one in found:
        for node in one.node:
            for attribute in node.attribute:
                if attribute.HasField("g"):
                    found.append(attribute.g)
                found.extend(attribute.graphs)
    return found


def some_graph(random, model):
    graphs = subgraphs(model.graph)
    return model.graph if random.random() < 0.5 else random.choice(graphs)


def some_node(random, model):
    nodes = some_graph(random, model).node or model.graph.node
    return random.choice(nodes) if nodes else None


def names_in(graph):
    names = [value.name for value in graph.input] + [tensor.name for tensor in graph.initializer]
    for node in graph.node:
        names.extend(node.output)
    return names or [""]


def delete_node(random, model, donors):
    graph = some_graph(random, model)
    if graph.node:
        del graph.node[random.randrange(len(graph.node))]


def duplicate_node(random, model, donors):
    graph = some_graph(random, model)
    if graph.node:
        node = random.choice(graph.node)
        graph.node.add().CopyFrom(node)  # its results are defined twice


def swap_nodes(random, model, donors):
    graph = some_graph(random, model)
    if len(graph.node) > 1:
        i, j = random.sample(range(len(graph.node)), 2)
        first = onnx.NodeProto()
        first.CopyFrom(graph.node[i])
        graph.node[i].CopyFrom(graph.node[j])
        graph.node[j].CopyFrom(first)


def change_operator(random, model, donors):
    if node := some_node(random, model):
        node.op_type = random.choice(OPERATORS)
        if random.random() < 0.3:
            del node.attribute[:]


def donate_node(random, model, donors):
    """A node of another model with this model's values as inputs."""
    other = random.choice(donors)
    graph = some_graph(random, model)
    if not other.graph.node:
        return
    node = onnx.NodeProto()
    node.CopyFrom(random.choice(other.graph.node))
    names = names_in(graph)
    for i in range(len(node.input)):
        node.input[i] = random.choice(names)
    for i in range(len(node.output)):
        node.output[i] = f"donated_{random.randrange(10**6)}"
    graph.node.append(node)
    if random.random() < 0.8 and graph.output and node.output:
        graph.output[random.randrange(len(graph.output))].CopyFrom(onnx.ValueInfoProto(name=node.output[0]))


def rewire(random, model, donors):
    """An input becomes another value, perhaps a later one (a cycle) or the node's own."""
    graph = some_graph(random, model)
    nodes = [node for node in graph.node if node.input]
    if nodes:
        node = random.choice(nodes)
        node.input[random.randrange(len(node.input))] = random.choice(names_in(graph) + list(node.output))


def change_arity(random, model, donors):
    if not (node := some_node(random, model)):
        return
    field = random.choice([node.input, node.output])
    choice = random.random()
    if choice < 0.4 and field:
        del field[random.randrange(len(field))]
    elif choice < 0.7:
        field.append(random.choice(names_in(model.graph)) if field is node.input else f"more_{random.randrange(10**6)}")
    elif field:
        field[random.randrange(len(field))] = ""


def rename(random, model, donors):
    graph = some_graph(random, model)
    new = random.choice(["", "nowhere", "x" * 3000, "a/b\nc", "é", names_in(graph)[0]])
    kind = random.choice(["input", "output", "initializer", "node"])
    if things := getattr(graph, kind):
        random.choice(things).name = new


def damage_attribute(random, model, donors):
    nodes = [node for graph in subgraphs(model.graph) for node in graph.node if node.attribute]
    if not nodes:
        return
    node = random.choice(nodes)
    index = random.randrange(len(node.attribute))
    attribute = node.attribute[index]
    choice = random.random()
    if choice < 0.1:
        del node.attribute[index]
    elif choice < 0.15:
        node.attribute.add().CopyFrom(attribute)
    elif choice < 0.2:
        attribute.type = random.choice(list(onnx.AttributeProto.AttributeType.values()))
    elif choice < 0.25:
        attribute.name = random.choice(["axis", "axes", "perm", "to", "group", "body", ""])
    elif attribute.type == onnx.AttributeProto.INT:
        attribute.i = random.choice(INTEGERS)
    elif attribute.type == onnx.AttributeProto.FLOAT:
        attribute.f = random.choice(FLOATS)
    elif attribute.type == onnx.AttributeProto.STRING:
        attribute.s = random.choice(STRINGS).encode()
    elif attribute.type == onnx.AttributeProto.INTS:
        damage_list(random, attribute.ints, INTEGERS)
    elif attribute.type == onnx.AttributeProto.FLOATS:
        damage_list(random, attribute.floats, FLOATS)
    elif attribute.type == onnx.AttributeProto.TENSOR:
        damage_tensor(random, attribute.t)
    else:
        attribute.Clear()
        attribute.name = "body"


def damage_list(random, values, choices):
    choice = random.random()
    if choice < 0.2 and values:
        del values[random.randrange(len(values))]
    elif choice < 0.4:
        values.append(random.choice(choices))
    elif choice < 0.45:
        del values[:]
    elif choice < 0.5:
        values.extend([random.choice(choices)] * 40)
    elif values:
        values[random.randrange(len(values))] = random.choice(choices)


def invent_attribute(random, model, donors):
    """An attribute that the operator knows, with any value."""
    if not (node := some_node(random, model)):
        return
    try:
        known = list(onnx.defs.get_schema(node.op_type).attributes.values())
    except Exception:  # an operator of another domain
        known = []
    if not known:
        return
    schema = random.choice(known)
    kind = schema.type.name
    values = {"INT": random.choice(INTEGERS), "FLOAT": random.choice(FLOATS), "STRING": random.choice(STRINGS),
              "INTS": [random.choice(INTEGERS) for _ in range(random.randrange(1, 7))],
              "FLOATS": [random.choice(FLOATS) for _ in range(random.randrange(1, 5))]}  # fmt: skip
    if kind in values:
        kept = [attribute for attribute in node.attribute if attribute.name != schema.name]
        del node.attribute[:]
        node.attribute.extend(kept)
        node.attribute.append(helper.make_attribute(schema.name, values[kind]))


def damage_type(random, model, donors):
    graph = some_graph(random, model)
    values = list(graph.input) + list(graph.output) + list(graph.value_info)
    if not values:
        return
    type = random.choice(values).type
    choice = random.random()
    tensor = type.tensor_type
    if choice < 0.2:
        tensor.elem_type = random.choice(TYPES)
    elif choice < 0.3:
        type.Clear()
    elif choice < 0.35:
        element = onnx.TypeProto()
        element.CopyFrom(type)
        type.Clear()
        type.sequence_type.elem_type.CopyFrom(element)
    elif choice < 0.4:
        tensor.ClearField("shape")
    elif choice < 0.6 and tensor.shape.dim:
        del tensor.shape.dim[random.randrange(len(tensor.shape.dim))]
    elif choice < 0.7:
        tensor.shape.dim.add().dim_value = random.choice([1, 1, 2, 3])
    elif tensor.shape.dim:
        dim = random.choice(tensor.shape.dim)
        dim.Clear()
        if random.random() < 0.8:
            dim.dim_value = random.choice(EXTENTS)
        else:
            dim.dim_param = random.choice(["N", "batch", "", "x" * 300])


def damage_tensor(random, tensor):
    choice = random.random()
    if choice < 0.15:
        tensor.data_type = random.choice(TYPES)
    elif choice < 0.3:
        damage_list(random, tensor.dims, EXTENTS)
    elif choice < 0.4 and tensor.raw_data:
        tensor.raw_data = tensor.raw_data[: random.randrange(len(tensor.raw_data) + 1)]
    elif choice < 0.5:
        tensor.data_location = TensorProto.EXTERNAL
        location = random.choice(["nowhere.bin", "../outside.bin", "/etc/passwd", "", "model.onnx", "a\0b", ".", "x" * 5000])
        for key, value in [("location", location), ("offset", random.choice(["0", "-1", "99999999999999999999", "1", "x"])),
                           ("length", random.choice(["0", "4", "-4", "18446744073709551615"]))]:  # fmt: skip
            if random.random() < 0.8:
                entry = tensor.external_data.add()
                entry.key, entry.value = key, value
    else:
        try:
            array = numpy_helper.to_array(tensor).copy()
        except Exception:  # damaged before
            return
        if array.size and array.dtype.kind in "fi" and array.size < 10000:
            flat = array.reshape(-1)
            limits = FLOATS if array.dtype.kind == "f" else INTEGERS
            with numpy.errstate(all="ignore"):
                flat[random.randrange(flat.size)] = numpy.array(random.choice(limits)).astype(array.dtype)
            tensor.CopyFrom(numpy_helper.from_array(array, tensor.name))


def damage_initializer(random, model, donors):
    graph = some_graph(random, model)
    tensors = list(graph.initializer) or list(model.graph.initializer)
    if tensors:
        damage_tensor(random, random.choice(tensors))


def damage_opset(random, model, donors):
    if random.random() < 0.7 and model.opset_import:
        random.choice(model.opset_import).version = random.choice([-1, 0, 1, 5, 6, 7, 9, 11, 13, 14, 17, 18, 19, 21, 23, 25, 99, 1 << 40])
    elif random.random() < 0.5:
        del model.opset_import[:]
    else:
        model.opset_import.add(domain=random.choice(["", "ai.onnx", "com.microsoft", "x"]), version=random.choice([1, 13]))


def change_domain(random, model, donors):
    if node := some_node(random, model):
        node.domain = random.choice(["com.microsoft", "ai.onnx.ml", "ai.onnx", "org.pytorch.aten", "", "ai.onnx.preview.training"])


def nest(random, model, donors):
    """The nodes move into the branches of an If, or into the body of a Loop, and see what is outside."""
    graph = model.graph
    if not graph.output or not graph.node:
        return
    body = onnx.GraphProto(name="body")
    body.node.extend(graph.node)
    body.output.extend(graph.output)
    del graph.node[:]
    names = [value.name for value in graph.output]
    graph.initializer.append(numpy_helper.from_array(numpy.array(random.random() < 0.5), "nested_condition"))
    if random.random() < 0.6:
        graph.node.append(helper.make_node("If", ["nested_condition"], names, then_branch=body, else_branch=body))
        return
    graph.initializer.append(numpy_helper.from_array(numpy.array(random.choice([0, 1, 2, -1, 1 << 40])), "nested_count"))
    body.input.append(helper.make_tensor_value_info("iteration", TensorProto.INT64, []))
    body.input.append(helper.make_tensor_value_info("condition", TensorProto.BOOL, []))
    body.node.append(helper.make_node("Identity", ["condition"], ["condition_out"]))
    body.output.insert(0, helper.make_tensor_value_info("condition_out", TensorProto.BOOL, []))
    graph.node.append(helper.make_node("Loop", ["nested_count", "nested_condition"], names, body=body))


def make_outputs(random, model, donors):
    graph = some_graph(random, model)
    graph.output.add().name = random.choice(names_in(graph))


def feed_inputs(random, model, donors):
    """Inputs become initializers, so that there is something to fold and to train."""
    graph = model.graph
    kept = []
    known = {tensor.name for tensor in graph.initializer}
    for value in graph.input:
        tensor = value.type.tensor_type
        shape = [dim.dim_value for dim in tensor.shape.dim]
        small = tensor.HasField("shape") and all(0 <= extent <= 64 for extent in shape) and numpy.prod(shape, dtype=float) <= 4096
        if value.name in known or not small or random.random() < 0.4:
            kept.append(value)
            continue
        generator = numpy.random.default_rng(random.randrange(1 << 30))
        try:
            dtype = helper.tensor_dtype_to_np_dtype(tensor.elem_type)
            array = generator.normal(size=shape).astype(dtype)
            graph.initializer.append(numpy_helper.from_array(array, value.name))
        except Exception:  # strings, and types that numpy has not
            kept.append(value)
    del graph.input[:]
    graph.input.extend(kept)


MUTATIONS = [
    delete_node, duplicate_node, swap_nodes, change_operator, change_operator, donate_node, donate_node, rewire, rewire, change_arity, change_arity,
    rename, damage_attribute, damage_attribute, damage_attribute, invent_attribute, invent_attribute, invent_attribute, damage_type, damage_type,
    damage_type, damage_initializer, damage_initializer, damage_opset, change_domain, nest, make_outputs,
]  # fmt: skip


def window(random, model):
    """Some consecutive nodes of a large model as a model, so that a mutation is not lost in it."""
    graph = model.graph
    if len(graph.node) <= 12:
        return model
    size = random.randrange(1, 12)
    first = random.randrange(len(graph.node) - size)
    part = onnx.ModelProto()
    part.CopyFrom(model)
    nodes = list(graph.node)[first : first + size]
    types = {value.name: value for value in [*graph.value_info, *graph.input, *graph.output]}
    weights = {tensor.name: tensor for tensor in graph.initializer}
    del part.graph.node[:], part.graph.input[:], part.graph.output[:], part.graph.initializer[:], part.graph.value_info[:]
    part.graph.node.extend(nodes)
    made = {name for node in nodes for name in node.output}
    read = {name for one in subgraphs(part.graph) for node in one.node for name in node.input}
    for name in sorted(read - made - {""}):
        if name in weights:
            part.graph.initializer.append(weights[name])
        else:
            part.graph.input.append(types.get(name, onnx.ValueInfoProto(name=name)))
    for name in sorted(made - {""}):
        if name not in read or random.random() < 0.2:
            part.graph.output.append(types.get(name, onnx.ValueInfoProto(name=name)))
    return part


def mutate(random, model, donors):
    """One to four mutations of a copy; the names of what was done."""
    model = window(random, model)
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    done = []
    if random.random() < 0.5:
        feed_inputs(random, copy, donors)
        done.append("feed_inputs")
    for _ in range(random.choice([0, 1, 1, 1, 2, 2, 3, 4])):
        mutation = random.choice(MUTATIONS)
        mutation(random, copy, donors)
        done.append(mutation.__name__)
    return copy, done


def damage_bytes(random, data):
    """A few edits of a file's bytes, most near the front, where the structure is."""
    data = bytearray(data)
    for _ in range(random.randrange(1, 5)):
        reach = len(data) if random.random() < 0.3 else min(len(data), 2000)
        at = random.randrange(reach + 1) if reach else 0
        choice = random.randrange(6)
        if choice == 0 and at < len(data):
            data[at] ^= 1 << random.randrange(8)
        elif choice == 1 and at < len(data):
            data[at] = random.randrange(256)
        elif choice == 2:
            del data[at : at + random.randrange(16)]
        elif choice == 3:
            data[at:at] = data[at : at + random.randrange(32)]
        elif choice == 4:
            data[at : at + 8] = random.choice([b"\xff" * 9 + b"\x01", b"\0" * 8, b"\xff\xff\xff\xff\x0f", os.urandom(0) + b"\x7f"])
        else:
            del data[random.randrange(len(data) + 1) :]
    return bytes(data)
