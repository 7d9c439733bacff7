"""What runs behind the doubles: machines that run sealed releases, load balancers, and the clouds' own endpoints.

A double is a process that the engine starts and ends; what it deployed must go on. So one process a rehearsal,
`python -m bentoship.rehearsal.hosts FOLDER`, runs all of it, and a double tells it what was created, updated and
deleted. Each cloud's part is its module `hosting`, with a class `Hosting`; what all of them share is here:

    control.py    finds that process, starts it, tells it; the doubles' and the commands' side
    plane.py      that process: an HTTP server on one port, with a place for each cloud
    machine.py    one machine: a disk, a metadata service, a boot script, a service that is kept running
    balancer.py   an address, health checks, requests split by weight
    standin.py    systemctl and journalctl on a machine that has no systemd
"""
