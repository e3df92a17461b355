cdef class Recorder:
    cdef dict _cells, _crowds
    cdef public object counters
