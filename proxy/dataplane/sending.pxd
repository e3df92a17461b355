# SPDX-License-Identifier: AGPL-3.0-or-later
cpdef write(transport, int descriptor, bytes data)
