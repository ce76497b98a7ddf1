# SPDX-License-Identifier: Apache-2.0
"""A processor with AMX for machines that have none."""
