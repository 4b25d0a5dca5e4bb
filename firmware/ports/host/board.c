/* A native build: the console is standard input and output. */
#include "board.h"

#include <stdlib.h>
#include <unistd.h>

board_fault_t board_init(void)
{
    return BOARD_UP;
}

uint32_t uart_read(uint8_t *data, uint32_t capacity)
{
    const ssize_t count = read(STDIN_FILENO, data, capacity);
    if (count <= 0) {
        exit(0); /* the other end is gone, and with it the reason to run */
    }
    return (uint32_t)count;
}

int32_t uart_write(const uint8_t *data, uint32_t size_bytes)
{
    while (size_bytes > 0u) {
        const ssize_t count = write(STDOUT_FILENO, data, size_bytes);
        if (count <= 0) {
            return -1;
        }
        data += count;
        size_bytes -= (uint32_t)count;
    }
    return 0;
}
