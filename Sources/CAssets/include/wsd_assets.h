/* The files of client/ and pages/ that the programs carry. */

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
