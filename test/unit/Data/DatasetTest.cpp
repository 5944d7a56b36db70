//===- DatasetTest.cpp ----------------------------------------------------===//

#include "mpt/Data/Dataset.h"
#include "TestFiles.h"
#include "mpt/Data/Npy.h"
#include "mpt/Data/SampleOrder.h"

#include <algorithm>
#include <cmath>
#include <set>

using namespace mpt;
using namespace mpt::data;
using namespace mpt::test;

namespace {

template <typename T>
HostTensor tensorOf(DType dtype, std::vector<int64_t> shape,
                    std::vector<T> values) {
  HostTensor tensor(dtype, std::move(shape));
  EXPECT_EQ(tensor.bytes.size(), values.size() * sizeof(T));
  std::copy(values.begin(), values.end(), tensor.template data<T>());
  return tensor;
}

class DatasetTest : public ::testing::Test {
protected:
  void save(const std::string &name, const HostTensor &tensor) {
    std::string error;
    ASSERT_TRUE(writeNpy(directory / name, tensor, error)) << error;
  }
  Dataset openOrDie(const std::string &spec,
                    Dataset::Split split = Dataset::Split::Train) {
    std::string error;
    std::optional<Dataset> dataset = Dataset::open(spec, split, error);
    EXPECT_TRUE(dataset) << error;
    return dataset ? std::move(*dataset) : Dataset();
  }
  void expectOpenError(const std::string &spec, const std::string &file,
                       const std::string &what,
                       Dataset::Split split = Dataset::Split::Train) {
    std::string error;
    EXPECT_FALSE(Dataset::open(spec, split, error));
    expectOneLine(error, file, what);
  }
  TemporaryDirectory directory;
};

TEST_F(DatasetTest, IdxPairScalesBytes) {
  writeFile(directory / "im", idxFile(0x08, {3, 2, 2},
                                      std::string("\0\x33\x66\xff"
                                                  "\1\2\3\4"
                                                  "\5\6\7\x8",
                                                  12)));
  writeFile(directory / "lb", idxFile(0x08, {3}, std::string("\0\x9\x4", 3)));
  Dataset dataset = openOrDie((directory / "im") + "," + (directory / "lb"));
  EXPECT_EQ(dataset.numSamples(), 3);
  std::string error;
  auto images = dataset.bind("images", DType::F32, {1, 2, 2}, error);
  ASSERT_TRUE(images) << error;
  const int64_t indices[] = {2, 0};
  float out[8];
  Dataset::gather(*images, indices, 2, out);
  EXPECT_EQ(out[0], 5.0f / 255.0f);
  EXPECT_EQ(out[4], 0.0f);
  EXPECT_EQ(out[5], float(0x33 / 255.0));
  EXPECT_EQ(out[7], 1.0f);
  auto half = dataset.bind("images", DType::F16, {4}, error);
  ASSERT_TRUE(half) << error;
  uint16_t bits[8];
  Dataset::gather(*half, indices, 2, bits);
  EXPECT_EQ(bits[7], 0x3C00);
  EXPECT_EQ(bits[0], encodeF16(5.0 / 255.0));
  auto labels = dataset.bind("labels", DType::I64, {}, error);
  ASSERT_TRUE(labels) << error;
  int64_t classes[2];
  Dataset::gather(*labels, indices, 2, classes);
  EXPECT_EQ(classes[0], 4);
  EXPECT_EQ(classes[1], 0);

  EXPECT_TRUE(dataset.checkLabels("labels", 10, std::nullopt, error)) << error;
  EXPECT_FALSE(dataset.checkLabels("labels", 9, std::nullopt, error));
  expectOneLine(error,
                directory / "lb: ", "sample 1 has the label 9, outside 0 to 8");
  EXPECT_TRUE(dataset.checkLabels("labels", 9, 9, error)) << error;
  EXPECT_FALSE(dataset.bind("images", DType::F32, {3, 3}, error));
  expectOneLine(error, directory / "im: ",
                "a sample has the shape 2x2, the input 'images' needs 3x3");
  EXPECT_FALSE(dataset.bind("pixels", DType::F32, {2, 2}, error));
  expectOneLine(error, directory.path,
                "no array 'pixels'; it has 'images', 'labels'");
}

TEST_F(DatasetTest, Transcription) {
  // Three frames of four classes; sample 1 is "2 2", which needs all of them.
  save("labels.npy", tensorOf<int64_t>(DType::I64, {2, 2}, {1, 9, 2, 2}));
  save("frames.npy", tensorOf<int32_t>(DType::I32, {2}, {1, 3}));
  save("lengths.npy", tensorOf<int64_t>(DType::I64, {2}, {1, 2}));
  Dataset dataset = openOrDie(directory.path);
  std::string error;
  const Dataset::Transcription good{"labels", "frames", "lengths", 3,
                                    4,        0,        false};
  EXPECT_TRUE(dataset.checkTranscription(good, error)) << error;
  auto expectFault = [&](Dataset::Transcription bad, const char *fault) {
    EXPECT_FALSE(dataset.checkTranscription(bad, error));
    expectOneLine(error, directory / "labels.npy: ", fault);
  };
  Dataset::Transcription bad = good;
  bad.classes = 2;
  expectFault(bad, "sample 1 has the label 2 at 0, outside 0 to 1");
  bad = good;
  bad.blank = 1;
  expectFault(bad, "sample 0 has the blank 1 as a label at 0");
  bad = good;
  bad.frames = 2;
  expectFault(bad, "sample 1 has 3 frames by 'frames', outside 0 to 2");
  bad = good;
  bad.labelLengths = "frames";
  expectFault(bad, "sample 1 has 3 labels by 'frames', outside 0 to 2");
  bad = good;
  bad.logitLengths = "lengths";
  expectFault(bad, "sample 1 has 2 frames, too few for 2 labels with 1 equal");
  bad.zeroInfinity = true;
  EXPECT_TRUE(dataset.checkTranscription(bad, error)) << error;
  // Without lengths the whole row counts.
  bad = good;
  bad.labelLengths.clear();
  expectFault(bad, "sample 0 has the label 9 at 1, outside 0 to 3");
  bad.labels = "text";
  EXPECT_FALSE(dataset.checkTranscription(bad, error));
}

TEST_F(DatasetTest, FashionMNISTDirectory) {
  writeFile(directory / "train-images-idx3-ubyte", idxFile(8, {2, 1, 1}, "ab"));
  writeFile(directory / "train-labels-idx1-ubyte", idxFile(8, {2}, "cd"));
  EXPECT_FALSE(Dataset::hasTestSplit(directory.path));
  EXPECT_EQ(openOrDie(directory.path).numSamples(), 2);
  expectOpenError(directory.path, directory.path, "no test split",
                  Dataset::Split::Test);
  writeFile(directory / "t10k-images-idx3-ubyte", idxFile(8, {1, 1, 1}, "a"));
  writeFile(directory / "t10k-labels-idx1-ubyte", idxFile(8, {1}, "c"));
  EXPECT_TRUE(Dataset::hasTestSplit(directory.path));
  EXPECT_EQ(openOrDie(directory.path, Dataset::Split::Test).numSamples(), 1);
}

TEST_F(DatasetTest, DebianPackage) {
  const char *folder = "/usr/share/datasets/fashion-mnist";
  if (!Dataset::hasTestSplit(folder))
    GTEST_SKIP() << "the Debian package dataset-fashion-mnist is not installed";
  for (auto [split, samples] : {std::pair(Dataset::Split::Train, 60000),
                                std::pair(Dataset::Split::Test, 10000)}) {
    Dataset dataset = openOrDie(folder, split);
    EXPECT_EQ(dataset.numSamples(), samples);
    EXPECT_EQ(dataset.find("images")->tensor.shape,
              (std::vector<int64_t>{samples, 28, 28}));
    std::string error;
    EXPECT_TRUE(dataset.checkLabels("labels", 10, std::nullopt, error))
        << error;
    int64_t count[10] = {};
    for (uint8_t label : dataset.find("labels")->tensor.bytes)
      ++count[label];
    for (int64_t c : count)
      EXPECT_EQ(c, samples / 10);
  }
}

TEST_F(DatasetTest, NpyDirectoryAndNames) {
  save("input_ids.npy", tensorOf<int64_t>(DType::I64, {2, 2}, {1, 2, 3, 4}));
  save("_fc_x.npy", tensorOf<float>(DType::F32, {2}, {0.5f, 1.5f}));
  writeFile(directory / "notes.txt", "ignored");
  Dataset dataset = openOrDie(directory.path);
  ASSERT_EQ(dataset.columns().size(), 2u);
  EXPECT_TRUE(dataset.find("/fc/x"));
  std::string error;
  auto ids = dataset.bind("input_ids", DType::I32, {2}, error);
  ASSERT_TRUE(ids) << error;
  int32_t out[2];
  const int64_t second = 1;
  Dataset::gather(*ids, &second, 1, out);
  EXPECT_EQ(out[0], 3);
  EXPECT_EQ(out[1], 4);
  auto asDouble = dataset.bind("/fc/x", DType::F64, {}, error);
  ASSERT_TRUE(asDouble) << error;
  EXPECT_FALSE(dataset.bind("_fc_x", DType::I64, {}, error));
  expectOneLine(error, directory / "_fc_x.npy: ", "holds float32");
  EXPECT_FALSE(dataset.checkLabels("_fc_x", 3, std::nullopt, error));
  expectOneLine(error, directory / "_fc_x.npy: ", "integers");
}

TEST_F(DatasetTest, BadValuesNameTheSample) {
  save("x.npy", tensorOf<float>(DType::F32, {3, 2},
                                {1, 2, 3, INFINITY, -INFINITY, NAN}));
  save("h.npy", tensorOf<Float16>(DType::F16, {3},
                                  {Float16(1), Float16(NAN), Float16(2)}));
  save("y.npy",
       tensorOf<int64_t>(DType::I64, {3, 1}, {-100, int64_t(1) << 40, 2}));
  Dataset dataset = openOrDie(directory.path);
  std::string error;
  EXPECT_FALSE(dataset.bind("x", DType::F32, {2}, error));
  expectOneLine(error, directory / "x.npy: ", "sample 2, element 1 is NaN");
  EXPECT_FALSE(dataset.bind("h", DType::F32, {}, error));
  expectOneLine(error, directory / "h.npy: ", "sample 1 is NaN");
  EXPECT_FALSE(dataset.bind("y", DType::I32, {}, error));
  expectOneLine(error, directory / "y.npy: ", "sample 1 does not fit");
  EXPECT_FALSE(dataset.checkLabels("y", 10, -100, error));
  expectOneLine(error, directory / "y.npy: ",
                "sample 1 has the label 1099511627776, outside 0 to 9 and not "
                "the ignored -100");
}

TEST_F(DatasetTest, OpenErrors) {
  expectOpenError(directory / "nothing", directory / "nothing",
                  "does not exist; give an IDX pair");
  expectOpenError(directory.path, directory.path, "neither .npy files");
  writeFile(directory / "file", "x");
  expectOpenError(directory / "file", directory / "file", "is no data set");
  expectOpenError((directory / "a") + "," + (directory / "b"), directory / "a",
                  "No such file");
  save("a.npy", tensorOf<float>(DType::F32, {2}, {1, 2}));
  save("b.npy", tensorOf<float>(DType::F32, {3}, {1, 2, 3}));
  expectOpenError(directory.path, directory / "b.npy", "has 3 samples");
  save("b.npy", tensorOf<float>(DType::F32, {}, {1}));
  expectOpenError(directory.path, directory / "b.npy", "is a scalar");
  save("b.npy", tensorOf<float>(DType::F32, {0, 3}, {}));
  expectOpenError(directory.path, directory / "b.npy", "no samples");
}

TEST_F(DatasetTest, Npz) {
  std::string error;
  NamedTensors tensors;
  tensors.emplace_back("x", tensorOf<double>(DType::F64, {2}, {0.25, 3}));
  ASSERT_TRUE(writeNpz(directory / "d.npz", tensors, error)) << error;
  Dataset dataset = openOrDie(directory / "d.npz");
  EXPECT_EQ(dataset.find("x")->tensor.data<double>()[0], 0.25);
  ASSERT_TRUE(writeNpz(directory / "e.npz", {}, error)) << error;
  expectOpenError(directory / "e.npz", directory / "e.npz", "holds no arrays");
}

TEST(HostTensor, ConversionsAreDefinedForEveryValue) {
  HostTensor floats =
      tensorOf<double>(DType::F64, {6}, {1.9, -1.9, 1e300, -1e300, NAN, 0.0});
  HostTensor ints = convert(floats, DType::I8);
  const int8_t want[] = {1, -1, 127, -128, 0, 0};
  EXPECT_TRUE(std::equal(want, want + 6, ints.data<int8_t>()));
  HostTensor longs = convert(floats, DType::I64);
  EXPECT_EQ(longs.data<int64_t>()[2], INT64_MAX);
  EXPECT_EQ(longs.data<int64_t>()[3], INT64_MIN);
  HostTensor bools = convert(floats, DType::Bool);
  EXPECT_EQ(bools.bytes, (std::vector<uint8_t>{1, 1, 1, 1, 1, 0}));
  HostTensor halves = convert(floats, DType::F16);
  EXPECT_EQ(halves.data<uint16_t>()[2], 0x7C00);
  EXPECT_EQ(convert(halves, DType::F32).data<float>()[1],
            float(roundToF16(-1.9)));
  // From float64 to bfloat16 without the detour through float32.
  HostTensor tie = tensorOf<double>(DType::F64, {1}, {1 + 0x1p-8 + 0x1p-40});
  EXPECT_EQ(convert(tie, DType::BF16).data<uint16_t>()[0], 0x3F81);
}

TEST(SampleOrder, EveryEpochIsAPermutation) {
  for (int64_t epoch : {0, 1, 7}) {
    std::vector<int64_t> order = epochPermutation(42, epoch, 1000);
    EXPECT_EQ(std::set<int64_t>(order.begin(), order.end()).size(), 1000u);
    EXPECT_EQ(*std::min_element(order.begin(), order.end()), 0);
    EXPECT_NE(order, epochPermutation(42, epoch + 1, 1000));
    EXPECT_NE(order, epochPermutation(43, epoch, 1000));
    EXPECT_EQ(order, epochPermutation(42, epoch, 1000));
  }
}

// Chi-squared over all 24 permutations of four samples, 23 degrees of freedom:
// a fair shuffle exceeds 60 with a probability of 4e-5, and the seeds are
// fixed.
TEST(SampleOrder, ShuffleIsUniform) {
  std::map<std::vector<int64_t>, int> count;
  const int trials = 24000;
  for (int epoch = 0; epoch < trials; ++epoch)
    ++count[epochPermutation(1, epoch, 4)];
  ASSERT_EQ(count.size(), 24u);
  double chiSquared = 0;
  for (const auto &entry : count)
    chiSquared += std::pow(entry.second - trials / 24.0, 2) / (trials / 24.0);
  EXPECT_LT(chiSquared, 60);
}

// Fixed for ever: a checkpoint of today must continue on the same samples.
TEST(SampleOrder, OrderIsStable) {
  EXPECT_EQ(epochPermutation(0, 0, 8),
            (std::vector<int64_t>{3, 0, 4, 1, 5, 7, 2, 6}));
}

TEST(SampleOrder, ResumesExactly) {
  SampleOrder order(103, 10, 5, true);
  EXPECT_EQ(order.batchesPerEpoch(), 10);
  for (int i = 0; i < 17; ++i)
    order.next();
  SampleOrder::State saved = order.state();
  EXPECT_EQ(saved.epoch, 1);
  EXPECT_EQ(saved.position, 70);
  SampleOrder resumed(103, 10, 99, true);
  ASSERT_TRUE(resumed.restore(saved));
  for (int i = 0; i < 30; ++i)
    ASSERT_EQ(order.next(), resumed.next()) << i;
  EXPECT_FALSE(resumed.restore({5, 0, 104}));
  EXPECT_FALSE(resumed.restore({5, -1, 0}));
}

TEST(SampleOrder, WithoutShuffleInOrder) {
  SampleOrder order(5, 2, 0, false);
  EXPECT_EQ(order.next(), (std::vector<int64_t>{0, 1}));
  EXPECT_EQ(order.next(), (std::vector<int64_t>{2, 3}));
  EXPECT_EQ(order.next(), (std::vector<int64_t>{0, 1}));
  EXPECT_EQ(order.state().epoch, 1);
}

} // namespace
