/* The program: brings up the board, says that it is there, then answers requests for ever. */
#include "board.h"
#include "clk.h"
#include "inputs.h"
#include "requests.h"
#include "rows.h"
#include "tlm.h"

int main(void)
{
    board_init();
    inputs_init();
    requests_begin(clk_init() == 0);
    for (;;) {
        tlm_frame_t request;
        if (tlm_receive(&request)) {
            do {
                requests_answer(&request);
            } while (rows_interrupted_by(&request));
        }
    }
}
