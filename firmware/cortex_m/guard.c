/*
 * A stack that overflows shall fault, whatever the board has below its RAM.
 *
 * ARMv8-M compares the stack pointer with a limit. ARMv7-M has an MPU: a region without access
 * ends where the stack ends, all else keeps the default map. A core with neither (ARMv6-M may
 * have no MPU) relies on nothing being mapped there.
 * Source: Arm DDI 0403 (ARMv7-M ARM) B3.5, DDI 0553 (ARMv8-M ARM) "MSPLIM".
 */
#include "guard.h"

#include <stdint.h>

extern uint8_t _stack_begin[];

#if defined(__ARM_ARCH_8M_MAIN__) || defined(__ARM_ARCH_8_1M_MAIN__)

void guard_stack(void)
{
    __asm volatile("msr msplim, %0" : : "r"(_stack_begin));
}

#else

#define MPU_TYPE (*(volatile uint32_t *)0xE000ED90u)
#define MPU_CTRL (*(volatile uint32_t *)0xE000ED94u)
#define MPU_RNR (*(volatile uint32_t *)0xE000ED98u)
#define MPU_RBAR (*(volatile uint32_t *)0xE000ED9Cu)
#define MPU_RASR (*(volatile uint32_t *)0xE000EDA0u)

#define MPU_TYPE_DREGION (0xFFu << 8)
#define MPU_CTRL_ENABLE (1u << 0)
#define MPU_CTRL_PRIVDEFENA (1u << 2)
#define MPU_RASR_ENABLE (1u << 0)
#define MPU_RASR_SIZE_64KB (15u << 1) /* 2^(SIZE+1) bytes */
#define MPU_RASR_XN (1u << 28)        /* and AP = 0: no access */

/* Larger than any frame; RAM begins at a multiple of it on every board. */
#define GUARD_BYTES 0x10000u

void guard_stack(void)
{
    const uint32_t stack_begin = (uint32_t)_stack_begin;
    if ((MPU_TYPE & MPU_TYPE_DREGION) == 0u || stack_begin % GUARD_BYTES != 0u) {
        return;
    }
    MPU_RNR = 0;
    MPU_RBAR = stack_begin - GUARD_BYTES;
    MPU_RASR = MPU_RASR_XN | MPU_RASR_SIZE_64KB | MPU_RASR_ENABLE;
    MPU_CTRL = MPU_CTRL_PRIVDEFENA | MPU_CTRL_ENABLE;
    __asm volatile("dsb \n isb" ::: "memory");
}

#endif
