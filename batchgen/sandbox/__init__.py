"""The image API on this machine: checks, limits, bills and logs as the real one does, and paints its own pictures.

It can also be every difficult server: other limits, faults by rate or by script, outages, credit that runs out; by
options at its start, and by `POST /control` as it runs. A product of its own: nothing here imports from the rest of
batchgen, and nothing there from here: they meet over HTTP. Only the command line registers `command.command`.

    command, options, lifetime    a process: what it is told, how it begins and ends
    server                        what is served where; every request is witnessed in the log
    generation                    one request for a picture, step by step
    state, control                what a running sandbox remembers, and how it is told otherwise
    limits/ faults/ headers       the rules, as pure functions and values
    answers, delivery             what is sent, and how it travels or fails to
    studio, painting/             the pictures
"""
