/* The files of client/, pages/ and systemd/ that the programs carry. */

#pragma once

#include <stddef.h>

struct wsd_asset {
    const unsigned char *bytes;
    size_t length;
};

struct wsd_asset wsd_asset_client_module(void);
struct wsd_asset wsd_asset_client_types(void);
struct wsd_asset wsd_asset_test_html(void);
struct wsd_asset wsd_asset_test_js(void);
struct wsd_asset wsd_asset_diagnosis_js(void);
struct wsd_asset wsd_asset_prober_js(void);
struct wsd_asset wsd_asset_chat_html(void);
struct wsd_asset wsd_asset_chat_js(void);
struct wsd_asset wsd_asset_dashboard_html(void);
struct wsd_asset wsd_asset_dashboard_js(void);
struct wsd_asset wsd_asset_common_js(void);
struct wsd_asset wsd_asset_plot_js(void);
struct wsd_asset wsd_asset_wsd_css(void);

/* systemd/ */
struct wsd_asset wsd_asset_service(void);
struct wsd_asset wsd_asset_instance(void);
struct wsd_asset wsd_asset_socket(void);
struct wsd_asset wsd_asset_user_service(void);
struct wsd_asset wsd_asset_sysusers(void);
struct wsd_asset wsd_asset_listen(void);
