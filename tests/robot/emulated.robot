*** Settings ***
Documentation       What every emulated board must do: measure, repeat exactly, and answer bit-exactly.
...
...                 robot tests/robot                                       on QEMU
...                 renode-test --variable DEVICE:renode tests/robot        on Renode
Library             harness.robot.BenchLibrary    store=${OUTPUT_DIR}${/}records
Test Timeout        2 minutes

*** Variables ***
${DEVICE}           qemu
${BOARD}            nucleo-f746zg
${MODEL}            kws

*** Test Cases ***
A Benchmark Is Bit Exact And Within Its Budget
    Run Benchmark    board=${BOARD}    model=${MODEL}    device=${DEVICE}
    Outputs Should Be Bit Exact
    Instructions Should Not Exceed    10 000 000
    Sram Should Not Exceed    24 000

The Input May Arrive By Rows
    Run Benchmark    board=${BOARD}    model=${MODEL}    device=${DEVICE}    schedule=stream
    ...    input_by_rows=${True}
    Outputs Should Be Bit Exact
    Sram Should Not Exceed    11 500

A Plan Says What Will Be Measured
    ${planned} =    Plan Model    ${MODEL}    board=${BOARD}    schedule=stream
    ${record} =    Run Benchmark    board=${BOARD}    model=${MODEL}    device=${DEVICE}
    ...    schedule=stream
    Should Be Equal As Integers    ${planned}    ${record.sram.planned_peak_bytes}

Two Runs Do Not Differ
    ${first} =    Run Benchmark    board=${BOARD}    model=${MODEL}    device=${DEVICE}
    Run Benchmark    board=${BOARD}    model=${MODEL}    device=${DEVICE}
    Should Not Regress Against    ${OUTPUT_DIR}${/}records${/}${first.id}.json
