// vector.h - RA_VECTOR before a function makes it twice, for processors with AVX2 and for all others; the loader picks
// one. Both do the same operations in the same order (no fused multiply-add), so the results are the same bits.
#pragma once

// Sanitizers instrument the loader's choice too, which then runs before they are ready.
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && \
    !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#define RA_VECTOR __attribute__((target_clones("avx2", "default")))
#else
#define RA_VECTOR
#endif
