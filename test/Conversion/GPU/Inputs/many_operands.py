"""Prints a function that asks whether N tensors are finite."""
import sys

count = int(sys.argv[1])
names = ["%%x%d" % i for i in range(count)]
print("func.func @f(%s) -> tensor<i1> {" % ", ".join(name + ": tensor<3xf32>" for name in names))
print("  %%finite, %%first = mp.all_finite %s : %s" % (", ".join(names), ", ".join(["tensor<3xf32>"] * count)))
print("  return %finite : tensor<i1>\n}")
