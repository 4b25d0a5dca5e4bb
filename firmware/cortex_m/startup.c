/*
 * From reset to main() on every Cortex-M: vector table, stack, floating point, initial values.
 * Source: Arm DDI 0403 (ARMv7-M ARM) B1.5, B3.2; Arm DDI 0553 (ARMv8-M ARM) for the same names.
 */
#include <stdint.h>
#include <string.h>

#include "guard.h"

extern uint8_t _stack_end[];
extern uint8_t _data_load[];
extern uint8_t _data_begin[];
extern uint8_t _data_end[];
extern uint8_t _bss_begin[];
extern uint8_t _bss_end[];

#define SCB_VTOR (*(volatile uint32_t *)0xE000ED08u)
#define SCB_CCR (*(volatile uint32_t *)0xE000ED14u)
#define SCB_SHCSR (*(volatile uint32_t *)0xE000ED24u)
#define SCB_CPACR (*(volatile uint32_t *)0xE000ED88u)

#define CCR_DIV_0_TRP (1u << 4)
#define SHCSR_FAULTS_ENA (7u << 16) /* MemManage, BusFault, UsageFault each by its own name */
#define CPACR_CP10_CP11_FULL (0xFu << 20)

int main(void);
void reset_handler(void);
void fault_handler(void);
__attribute__((noreturn)) void start(void);

/* The system exceptions alone, NMI to SysTick: nothing here enables an interrupt. */
enum { EXCEPTIONS = 14 };

typedef struct {
    const uint8_t *initial_sp;
    void (*reset)(void);
    void (*exceptions[EXCEPTIONS])(void);
} vector_table_t;

__attribute__((section(".vectors"), used)) const vector_table_t vectors = {
    .initial_sp = _stack_end,
    .reset = reset_handler,
    .exceptions = {fault_handler, fault_handler, fault_handler, fault_handler, fault_handler,
                   fault_handler, fault_handler, fault_handler, fault_handler, fault_handler,
                   fault_handler, fault_handler, fault_handler, fault_handler},
};

/* Sets the stack itself, so that a loader which jumps here works as a reset does. */
__attribute__((naked, noreturn)) void reset_handler(void)
{
    __asm volatile("ldr r0, =_stack_end \n"
                   "msr msp, r0         \n"
                   "b   start           \n");
}

void start(void)
{
    SCB_VTOR = (uint32_t)&vectors;
    SCB_CCR |= CCR_DIV_0_TRP;
    SCB_SHCSR |= SHCSR_FAULTS_ENA;
#ifdef __ARM_FP
    SCB_CPACR |= CPACR_CP10_CP11_FULL;
    __asm volatile("dsb \n isb" ::: "memory");
#endif
    memcpy(_data_begin, _data_load, (uintptr_t)_data_end - (uintptr_t)_data_begin);
    memset(_bss_begin, 0, (uintptr_t)_bss_end - (uintptr_t)_bss_begin);
    guard_stack();
    (void)main();
    for (;;) {
    }
}
