"""The simulated desk: a probe, an emulated chip with flash, and its serial port.

pyOCD, PlatformIO and pyserial work on it unmodified, as on a real desk::

    pyOCD's process                        the desk's process
    DebugProbe (probe.py) --- socket ----> debug port, access port (adi.py)
                              (wire.py)      core debug, ROM table (core_debug.py)
                                               QEMU through GDB's protocol (qemu_core.py)
    pyserial ---------------- pty -------> UART of the emulated core (uart.py)

Time, power and analogue troubles are not simulated, and what the emulated core counts are
instructions: a figure from this desk was not measured on hardware, and its record says so.
"""
