// address.h - IP addresses as values, the networks they are in, and which of them are nobody's on the public internet.
// Any thread.
#pragma once
#include <stdbool.h>

struct sockaddr;

typedef struct ra_address {
  unsigned char bytes[16];  // IPv4 as ::ffff:a.b.c.d
} ra_address;

bool ra_address_parse(const char *text, ra_address *out);
bool ra_address_of(const struct sockaddr *name, ra_address *out);
// "10.0.0.0/8", "::1": whether the address is in it. Anything else holds none.
bool ra_address_in(const char *network, const ra_address *address);
// Loopback, private, link-local, shared, multicast, documentation and other special addresses, also as part of an IPv6
// address that stands for an IPv4 one: what a text from outside must not make us ask.
bool ra_address_special(const ra_address *address);
