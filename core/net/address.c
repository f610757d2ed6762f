// address.c - see address.h
#include "net/address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

static const unsigned char MAPPED[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

bool ra_address_parse(const char *text, ra_address *out) {
  memcpy(out->bytes, MAPPED, sizeof MAPPED);
  return inet_pton(AF_INET, text, out->bytes + 12) == 1 || inet_pton(AF_INET6, text, out->bytes) == 1;
}

bool ra_address_of(const struct sockaddr *name, ra_address *out) {
  if (name->sa_family == AF_INET) {
    memcpy(out->bytes, MAPPED, sizeof MAPPED);
    memcpy(out->bytes + 12, &((const struct sockaddr_in *)(const void *)name)->sin_addr, 4);
    return true;
  }
  if (name->sa_family != AF_INET6) return false;
  memcpy(out->bytes, &((const struct sockaddr_in6 *)(const void *)name)->sin6_addr, 16);
  return true;
}

bool ra_address_in(const char *network, const ra_address *address) {
  char text[64];
  size_t len = strcspn(network, "/");
  if (len >= sizeof text) return false;
  memcpy(text, network, len);
  text[len] = 0;
  ra_address base;
  if (!ra_address_parse(text, &base)) return false;
  long bits = 128;
  if (network[len]) {
    char *end;
    bits = strtol(network + len + 1, &end, 10);
    if (*end || end == network + len + 1 || bits < 0) return false;
    if (!strchr(text, ':')) bits += 96;
    if (bits > 128) return false;
  }
  size_t whole = (size_t)bits / 8;
  if (memcmp(base.bytes, address->bytes, whole) != 0) return false;
  unsigned rest = (unsigned)bits % 8;
  return !rest || ((base.bytes[whole] ^ address->bytes[whole]) >> (8 - rest)) == 0;
}

static bool in_any(const char *const *networks, const ra_address *address) {
  for (; *networks; networks++) {
    if (ra_address_in(*networks, address)) return true;
  }
  return false;
}

// The IPv4 address that `bytes` are, as a value of its own.
static ra_address embedded(const unsigned char *bytes) {
  ra_address out;
  memcpy(out.bytes, MAPPED, sizeof MAPPED);
  memcpy(out.bytes + 12, bytes, 4);
  return out;
}

// From the IANA registries of special-purpose addresses.
static bool special(const ra_address *address) {
  static const char *const networks[] = {
      "0.0.0.0/8",      "10.0.0.0/8",    "100.64.0.0/10",   "127.0.0.0/8",
      "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24",    "192.0.2.0/24",
      "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24",
      "224.0.0.0/4",    "240.0.0.0/4",   "::/96",           "100::/64",
      "2001:db8::/32",  "2001::/32",     "fc00::/7",        "fe80::/10",
      "fec0::/10",      "ff00::/8",      "64:ff9b:1::/48",  NULL};
  return in_any(networks, address);
}

bool ra_address_special(const ra_address *address) {
  if (special(address)) return true;
  ra_address inner;
  if (ra_address_in("64:ff9b::/96", address)) {  // NAT64
    inner = embedded(address->bytes + 12);
  } else if (ra_address_in("2002::/16", address)) {  // 6to4
    inner = embedded(address->bytes + 2);
  } else {
    return false;
  }
  return special(&inner);
}
