# SPDX-License-Identifier: Apache-2.0
"""The gates of ./check."""
