/* The regions that the linker laid out (sections.ld). */
#include "sram.h"

extern uint8_t _stack_begin[];
extern uint8_t _stack_end[];
extern uint8_t _staging_begin[];
extern uint8_t _ram_end[];

sram_region_t sram_staging(void)
{
    return (sram_region_t){
        .begin = _staging_begin,
        .size_bytes = (uint32_t)((uintptr_t)_ram_end - (uintptr_t)_staging_begin),
    };
}

sram_region_t sram_stack(void)
{
    return (sram_region_t){
        .begin = _stack_begin,
        .size_bytes = (uint32_t)((uintptr_t)_stack_end - (uintptr_t)_stack_begin),
    };
}

__attribute__((naked)) uint8_t *sram_stack_pointer(void)
{
    __asm volatile("mov r0, sp \n"
                   "bx  lr     \n");
}
