// confine.h - what the processes that read sources (`ingest`, `inspect`) may still touch: the sources, the store, the
// catalog, the scratch folder, and what the program and its libraries are made of.
#pragma once
#include "app/cli.h"

// Once, before any thread is started. Makes the store's folder where it is written to and is not there yet.
void ra_confine_sources(const ra_cli *cli, bool writes);
