/*
 * A fault is reported with its cause, then the core stops.
 * Source: Arm DDI 0403 (ARMv7-M ARM) B1.5.6 (exception entry), B3.2.15-19 (fault registers).
 */
#include <stdint.h>

#include "sram.h"
#include "tlm.h"

#define SCB_CFSR (*(volatile uint32_t *)0xE000ED28u)
#define SCB_HFSR (*(volatile uint32_t *)0xE000ED2Cu)
#define SCB_MMFAR (*(volatile uint32_t *)0xE000ED34u)
#define SCB_BFAR (*(volatile uint32_t *)0xE000ED38u)

/* What exception entry pushed, when the stack could take it. */
typedef struct {
    uint32_t r0, r1, r2, r3, r12, lr, pc, xpsr;
} stacked_frame_t;

void fault_handler(void);
__attribute__((noreturn)) void fault_report(uintptr_t sp);

/* The stack may be what failed: its depth goes along as a number, and a fresh one is used. */
__attribute__((naked)) void fault_handler(void)
{
    __asm volatile("mrs r0, msp         \n"
                   "ldr r1, =_stack_end \n"
                   "msr msp, r1         \n"
                   "b   fault_report    \n");
}

void fault_report(uintptr_t sp)
{
    uint32_t exception;
    __asm volatile("mrs %0, ipsr" : "=r"(exception));
    const sram_region_t stack = sram_stack();
    const uintptr_t begin = (uintptr_t)stack.begin;
    tlm_fault_t fault = {
        .exception = exception,
        .cfsr = SCB_CFSR,
        .hfsr = SCB_HFSR,
        .mmfar = SCB_MMFAR,
        .bfar = SCB_BFAR,
        .sp = (uint32_t)sp,
        .stack_begin = (uint32_t)begin,
    };
    if (sp >= begin && sp + sizeof(stacked_frame_t) <= begin + stack.size_bytes) {
        const stacked_frame_t *frame = (const stacked_frame_t *)sp;
        fault.pc = frame->pc;
        fault.lr = frame->lr;
    }
    tlm_send_event(TLM_FAULT, &fault, sizeof fault);
    for (;;) {
    }
}
