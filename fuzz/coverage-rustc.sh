#!/usr/bin/env bash
# For cargo's RUSTC_WORKSPACE_WRAPPER: compiles the members of the workspace with coverage counters.
exec "$@" -Cinstrument-coverage
