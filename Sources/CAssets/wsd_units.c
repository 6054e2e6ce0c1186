/* The files that wsctl installs (#embed, as in wsd_assets.c). */

#include "wsd_assets.h"

#pragma clang diagnostic ignored "-Wc23-extensions"

#define ASSET(name) \
    struct wsd_asset wsd_asset_##name(void) { return (struct wsd_asset){name, sizeof name}; }

static const unsigned char service[] = {
#embed "../../systemd/wsd.service"
};
ASSET(service)

static const unsigned char instance[] = {
#embed "../../systemd/wsd@.service"
};
ASSET(instance)

static const unsigned char socket[] = {
#embed "../../systemd/wsd.socket"
};
ASSET(socket)

static const unsigned char user_service[] = {
#embed "../../systemd/user/wsd.service"
};
ASSET(user_service)

static const unsigned char sysusers[] = {
#embed "../../systemd/sysusers.d/wsd.conf"
};
ASSET(sysusers)

static const unsigned char listen[] = {
#embed "../../systemd/listen.yaml"
};
ASSET(listen)
