/* The files themselves, read by the compiler (#embed, C23; clang has it in every mode of C). */

#include "wsd_assets.h"

#pragma clang diagnostic ignored "-Wc23-extensions"

#define ASSET(name) \
    struct wsd_asset wsd_asset_##name(void) { return (struct wsd_asset){name, sizeof name}; }

static const unsigned char client_module[] = {
#embed "../../client/wsd-client.js"
};
ASSET(client_module)

static const unsigned char client_types[] = {
#embed "../../client/wsd-client.d.ts"
};
ASSET(client_types)

static const unsigned char test_html[] = {
#embed "../../pages/test.html"
};
ASSET(test_html)

static const unsigned char test_js[] = {
#embed "../../pages/test.js"
};
ASSET(test_js)

static const unsigned char diagnosis_js[] = {
#embed "../../pages/diagnosis.js"
};
ASSET(diagnosis_js)

static const unsigned char prober_js[] = {
#embed "../../pages/prober.js"
};
ASSET(prober_js)

static const unsigned char chat_html[] = {
#embed "../../pages/chat.html"
};
ASSET(chat_html)

static const unsigned char chat_js[] = {
#embed "../../pages/chat.js"
};
ASSET(chat_js)

static const unsigned char dashboard_html[] = {
#embed "../../pages/dashboard.html"
};
ASSET(dashboard_html)

static const unsigned char dashboard_js[] = {
#embed "../../pages/dashboard.js"
};
ASSET(dashboard_js)

static const unsigned char common_js[] = {
#embed "../../pages/common.js"
};
ASSET(common_js)

static const unsigned char plot_js[] = {
#embed "../../pages/plot.js"
};
ASSET(plot_js)

static const unsigned char wsd_css[] = {
#embed "../../pages/wsd.css"
};
ASSET(wsd_css)
