/* CRC-32 of IEEE 802.3, as in zlib: polynomial 0xEDB88320 reflected, inverted before and after. */
#ifndef BENCH_CRC32_H
#define BENCH_CRC32_H

#include <stdint.h>

/* Returns the CRC of bytes that follow those whose CRC is `crc`; start with 0. */
uint32_t crc32_update(uint32_t crc, const uint8_t *data, uint32_t size_bytes);

#endif
