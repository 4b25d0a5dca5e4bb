/* The program: brings up the board, says that it is there, then answers requests for ever. */
#include "board.h"
#include "clk.h"
#include "inputs.h"
#include "requests.h"
#include "rows.h"
#include "tlm.h"

/* A board that did not come up says why, at once and to each request. */
static void say_why(board_fault_t reason)
{
    const tlm_fault_t fault = {.exception = 0, .cfsr = (uint32_t)reason};
    tlm_send_event(TLM_FAULT, &fault, sizeof fault);
}

int main(void)
{
    tlm_frame_t request;
    const board_fault_t reason = board_init();
    if (reason != BOARD_UP) {
        say_why(reason);
        for (;;) {
            if (tlm_receive(&request)) {
                say_why(reason);
            }
        }
    }
    inputs_init();
    const sram_region_t spare = inputs_spare_sram();
    tlm_receive_into(spare.begin, spare.size_bytes);
    requests_begin(clk_init() == 0);
    for (;;) {
        if (tlm_receive(&request)) {
            do {
                requests_answer(&request);
            } while (rows_interrupted_by(&request));
        }
    }
}
