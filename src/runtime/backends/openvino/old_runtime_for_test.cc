// SPDX-License-Identifier: Apache-2.0
// A library that answers as an OpenVINO does that is older than the headers of this build: it has a version, and not all functions.
#include <openvino/c/openvino.h>

ov_status_e ov_get_openvino_version(ov_version_t* version) {
  version->buildNumber = "2023.1.0-12185-47b736f63ed-releases/2023/1";
  version->description = "OpenVINO Runtime";
  return OK;
}

void ov_version_free(ov_version_t*) {}
