/* What a port need not say: of a board that tells nothing, has no pin to mark and no data cache. */
#include "board.h"

#define WEAK __attribute__((weak))

WEAK board_info_t board_info(void)
{
    return (board_info_t){0};
}

WEAK void board_mark(bool is_running)
{
    (void)is_running;
}

WEAK void board_debugger_may_write(void)
{
}

WEAK void board_debugger_has_written(void)
{
}
