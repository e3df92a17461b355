# SPDX-License-Identifier: AGPL-3.0-or-later
from proxy.dataplane.heads cimport RequestHead, ResponseHead


cpdef bytes request_bytes(RequestHead head, bytes authority, bytes forwarding, bytes request_id)
cpdef bytes response_bytes(ResponseHead head, bint chunked, bytes connection, bytes cookie, bytes body=*)
