//===- Dataset.h - What mpt-train --data reads ------------------*- C++ -*-===//
//
// A data set is a list of named columns; the first axis of each is the sample.
// It comes from
//
//   images,labels   a pair of IDX files, plain or gzip: the columns "images"
//   and
//                   "labels";
//   a directory     with Fashion-MNIST's four files (train-images-idx3-ubyte,
//                   train-labels-idx1-ubyte, t10k-..., each with or without
//                   .gz): the same two columns, train or test;
//   F.npz           a column per array;
//   a directory     of .npy files: a column per file, named after it.
//
// Errors are one line that names the file and, for bad values, the sample.
//
//===----------------------------------------------------------------------===//

#ifndef MPT_DATA_DATASET_H
#define MPT_DATA_DATASET_H

#include "mpt/Data/HostTensor.h"

namespace mpt::data {

class Dataset {
public:
  enum class Split { Train, Test };

  struct Column {
    std::string name;
    std::string file; // for messages
    HostTensor tensor;
  };

  /// Split::Test is understood for a Fashion-MNIST directory only (see
  /// hasTestSplit); any other data set is a single split.
  static std::optional<Dataset> open(const std::string &spec, Split split,
                                     std::string &error);
  /// Whether `spec` is a directory with the two files of the test split.
  static bool hasTestSplit(const std::string &spec);

  int64_t numSamples() const { return samples; }
  const std::vector<Column> &columns() const { return cols; }
  /// The column of that name. '/' and ':' of a graph's name are '_' in a
  /// file's.
  const Column *find(const std::string &name) const;

  /// How a consumer wants a column: gather() writes batches of this form.
  struct Binding {
    const Column *column = nullptr;
    DType dtype = DType::F32;
    size_t elementsPerSample = 0;
    size_t bytesPerSample = 0;
  };

  /// Binds a column to a consumer that wants `dtype` and samples of the shape
  /// `sampleShape` (without the batch axis; 28x28 also serves 1x28x28). uint8
  /// becomes a float by division by 255, other integers keep their value.
  /// Errors: no such column; a different number of elements; float data for an
  /// integer input; an integer that does not fit; NaN in the data.
  std::optional<Binding> bind(const std::string &name, DType dtype,
                              const std::vector<int64_t> &sampleShape,
                              std::string &error) const;

  /// Writes the samples `indices[0 .. count)` one after the other to `out`,
  /// which has count * bytesPerSample bytes.
  static void gather(const Binding &binding, const int64_t *indices,
                     int64_t count, void *out);

  /// Checks that every element of an integer column is in 0 ... numClasses-1 or
  /// equals `ignoreIndex`.
  bool checkLabels(const std::string &name, int64_t numClasses,
                   std::optional<int64_t> ignoreIndex,
                   std::string &error) const;

  /// What a CTC loss reads: columns of labels [samples, labels], of the frames
  /// that a sample has and of its labels, and the logits they belong to. An
  /// empty name stands for full length.
  struct Transcription {
    std::string labels, logitLengths, labelLengths;
    int64_t frames = 0, classes = 0; // of the logits
    int64_t blank = 0;
    bool zeroInfinity = false; // samples that no path can give are left out
  };
  /// Checks that lengths lie within the tensors, that the labels within them
  /// are classes and not the blank, and that the frames of a sample suffice for
  /// its labels with a blank between equal neighbours (without zeroInfinity its
  /// loss would be infinite).
  bool checkTranscription(const Transcription &transcription,
                          std::string &error) const;

private:
  bool add(std::string name, std::string file, std::optional<HostTensor> tensor,
           std::string &error);
  std::string missingColumn(const std::string &name) const;

  std::string spec;
  std::vector<Column> cols;
  int64_t samples = 0;
};

} // namespace mpt::data

#endif // MPT_DATA_DATASET_H
