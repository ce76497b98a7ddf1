// SPDX-License-Identifier: Apache-2.0
// run_cxx MODEL: one inference of a model that takes 4 floats and gives 2.
#include <moru/moru.h>

#include <array>
#include <cstdio>

int main(int argc, char** argv) {
  const std::array<float, 4> x = {1, 2, 3, 4};
  std::array<float, 2> y = {};
  auto session = moru::Session::load_file(argc > 1 ? argv[1] : "model.onnx");
  const auto done = session ? session->run({x}, {y}) : std::unexpected(session.error());
  if (done) std::printf("%g\n%g\n", y[0], y[1]);
  if (!done) std::fprintf(stderr, "%s\n", done.error().message.c_str());
  return done ? 0 : 1;
}
