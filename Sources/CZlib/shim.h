#include <zlib.h>

/* The initialisers are macros, which Swift does not see. Negative window bits: raw DEFLATE (RFC 1951), no header. */

static inline int wsd_deflate_init_raw(z_stream *stream, int level, int window_bits, int memory_level) {
    return deflateInit2(stream, level, Z_DEFLATED, -window_bits, memory_level, Z_DEFAULT_STRATEGY);
}

static inline int wsd_inflate_init_raw(z_stream *stream, int window_bits) {
    return inflateInit2(stream, -window_bits);
}
