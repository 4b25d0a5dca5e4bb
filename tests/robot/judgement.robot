*** Settings ***
Documentation       Keywords that judge fail when they must, and say by how much.
Library             harness.robot.BenchLibrary    store=${OUTPUT_DIR}${/}records
Suite Setup         Run Benchmark    board=mps2-an386    model=kws    device=${DEVICE}    repeat=1
Test Timeout        2 minutes

*** Variables ***
${DEVICE}           qemu

*** Test Cases ***
A Limit Below The Figure Fails
    Run Keyword And Expect Error    *instructions, * more than 1,000
    ...    Instructions Should Not Exceed    1,000
    Run Keyword And Expect Error    *bytes of SRAM, * more than 100
    ...    Sram Should Not Exceed    100

A Limit That Is No Number Fails
    Run Keyword And Expect Error    *a limit is a whole number, not 'few'
    ...    Instructions Should Not Exceed    few

A Board That Does Not Exist Fails With A Proposal
    Run Keyword And Expect Error    *mps2-an386*
    ...    Run Benchmark    board=mps2-an368    model=kws    device=${DEVICE}

Nothing Is Judged After A Failure
    Run Keyword And Ignore Error    Run Benchmark    board=nothing    model=kws
    Run Keyword And Expect Error    *Run Benchmark comes first*    Outputs Should Be Bit Exact

A Record Of Something Else Is No Baseline
    ${vww} =    Run Benchmark    board=mps2-an386    model=ad    device=${DEVICE}    repeat=1
    Run Benchmark    board=mps2-an386    model=kws    device=${DEVICE}    repeat=1
    Run Keyword And Expect Error    *is of another model*
    ...    Should Not Regress Against    ${OUTPUT_DIR}${/}records${/}${vww.id}.json
