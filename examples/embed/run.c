/* SPDX-License-Identifier: Apache-2.0 */
/* run_c MODEL: one inference of a model that takes 4 floats and gives 2. */
#include <moru/c.h>
#include <stdio.h>

int main(int argc, char** argv) {
  const float x[4] = {1, 2, 3, 4};
  float y[2];
  const moru_const_buffer input = {x, sizeof x, MORU_FLOAT32};
  const moru_buffer output = {y, sizeof y, MORU_FLOAT32};
  moru_session* session = NULL;
  moru_error error;
  moru_code code = moru_load_file(argc > 1 ? argv[1] : "model.onnx", NULL, &session, &error);
  if (code == MORU_OK) code = moru_run(session, &input, 1, &output, 1, &error);
  if (code == MORU_OK) printf("%g\n%g\n", y[0], y[1]);
  if (code != MORU_OK) fprintf(stderr, "%s\n", error.message);
  moru_free(session);
  return code == MORU_OK ? 0 : 1;
}
