# SPDX-License-Identifier: AGPL-3.0-or-later
"""The site as its client knows it: pure functions of the environment (Loomio's Boot::Site, AppConfig)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from services.kernel.settings import LOOMIO_VERSION, Settings

TABLES: dict[str, Any] = msgspec.json.decode(Path(__file__).with_name("tables.json").read_bytes())

BRAND_COLORS = {
    "gold": "#DCA034",
    "ink": "#293C4A",
    "wellington": "#7F9EA0",
    "sunset": "#E4C2B9",
    "sky": "#658AE7",
    "rock": "#C77C3B",
    "white": "#FFFFFF",
}
SHADES = ("primary", "info", "error", "warning", "success", "anchor", "background")
PROVIDERS = ("oauth", "saml", "google", "nextcloud")
DESCRIPTION = "A place where this community talks things over and decides together."


def site(settings: Settings, locale: str) -> dict[str, Any]:
    """Everything that does not depend on who asks; `locale` is the language of the answer."""
    env = settings.environment
    return {
        "version": LOOMIO_VERSION,
        "release": settings.release,
        "systemNotice": settings.system_notice,
        "environment": env.get("RAILS_ENV", "production"),
        "permittedParams": TABLES["permittedParams"],
        "locales": TABLES["locales"],
        "defaultLocale": locale,
        "newsletterEnabled": env.get("NEWSLETTER_ENABLED"),
        "baseUrl": f"{settings.site.origin}/",
        "contactEmail": env.get("SUPPORT_EMAIL"),
        "theme": theme(env, settings),
        "sentry_dsn": env.get("SENTRY_PUBLIC_DSN"),
        "plausible_src": env.get("PLAUSIBLE_SRC"),
        "plausible_site": env.get("PLAUSIBLE_SITE"),
        "features": {"app": features(env)},
        "inlineTranslation": {"isAvailable": bool(env.get("TRANSLATE_CREDENTIALS", "").strip())},
        "pollTypes": TABLES["pollTypes"],
        "pollColors": TABLES["pollColors"],
        "webhookEventKinds": TABLES["webhookEventKinds"],
        "identityProviders": [
            {"name": name, "href": f"/{name}/oauth"} for name in PROVIDERS if f"{name.upper()}_APP_KEY" in env
        ],
    }


def theme(env: Mapping[str, str], settings: Settings) -> dict[str, Any]:
    """Names, addresses, pictures and colours."""
    is_production = env.get("RAILS_ENV", "production") == "production"
    host = env.get("CANONICAL_HOST", "")
    channels = f"wss://channels.{host}" if is_production else "ws://localhost:5000"
    hocuspocus = f"wss://hocuspocus.{host}" if is_production else "ws://localhost:4444"
    return {
        "brand_colors": BRAND_COLORS,
        "site_name": settings.site.name,
        "site_description": env.get("SITE_DESCRIPTION", DESCRIPTION),
        "channels_url": env.get("CHANNELS_URL", env.get("CHANNELS_URI", channels)),
        "hocuspocus_url": env.get("HOCUSPOCUS_URL", hocuspocus),
        "terms_url": env.get("TERMS_URL"),
        "privacy_url": env.get("PRIVACY_URL"),
        "canonical_host": env.get("CANONICAL_HOST"),
        "reply_hostname": env.get("REPLY_HOSTNAME"),
        "help_url": env.get("HELP_URL", "https://help.loomio.com/"),
        "icon_src": env.get("THEME_ICON_SRC", "/brand/icon_gold_150h.png"),
        "app_logo_src": env.get("THEME_APP_LOGO_SRC", "/brand/logo_gold.svg"),
        "saml_login_provider_name": env.get("SAML_LOGIN_PROVIDER_NAME", "SAML"),
        "oauth_login_provider_name": env.get("OAUTH_LOGIN_PROVIDER_NAME", "OAUTH"),
        "email_header_logo_src": env.get("THEME_EMAIL_HEADER_LOGO_SRC", "/brand/logo_gold_96h.png"),
        "email_footer_logo_src": env.get("THEME_EMAIL_FOOTER_LOGO_SRC", "/brand/logo_gold_48h.png"),
        "primary_color": env.get("THEME_PRIMARY_COLOR", BRAND_COLORS["sky"]),
        "accent_color": env.get("THEME_ACCENT_COLOR", BRAND_COLORS["gold"]),
        "text_on_primary_color": env.get("THEME_TEXT_ON_PRIMARY_COLOR", "#ffffff"),
        "text_on_accent_color": env.get("THEME_TEXT_ON_ACCENT_COLOR", "#ffffff"),
        "default_invitation_message": env.get("THEME_DEFAULT_INVITATION_MESSAGE"),
        "default_dark_theme": env.get("THEME_DEFAULT_DARK_THEME", "dark"),
        "default_light_theme": env.get("THEME_DEFAULT_LIGHT_THEME", "light"),
        **{name: _shades(env, name) for name in ("light", "dark", "lightblue", "darkblue")},
    }


def _shades(env: Mapping[str, str], name: str) -> dict[str, str | None]:
    return {shade: env.get(f"THEME_{name.upper()}_{shade.upper()}") for shade in SHADES}


def features(env: Mapping[str, str]) -> dict[str, Any]:
    """What is switched on. Some switches are told as they are written, as the client knows them."""

    def told(name: str) -> str | bool:
        return env.get(name, False)

    def is_set(name: str) -> bool:
        return name in env

    return {
        "env": env.get("RAILS_ENV", "production"),
        "subscriptions": is_set("CHARGIFY_API_KEY"),
        "demos": told("FEATURES_DEMO_GROUPS"),
        "trials": told("FEATURES_TRIALS"),
        "trial_days": env.get("TRIAL_DAYS"),
        "gray_sidebar_logo_in_dark_mode": told("FEATURES_GRAY_SIDEBAR_LOGO_IN_DARK_MODE"),
        "new_thread_button": is_set("FEATURES_NEW_THREAD_BUTTON"),
        "email_login": not is_set("FEATURES_DISABLE_EMAIL_LOGIN"),
        "create_user": not is_set("FEATURES_DISABLE_CREATE_USER"),
        "create_group": not is_set("FEATURES_DISABLE_CREATE_GROUP"),
        "public_groups": not is_set("FEATURES_DISABLE_PUBLIC_GROUPS"),
        "help_link": not is_set("FEATURES_DISABLE_HELP_LINK"),
        "example_content": not is_set("FEATURES_DISABLE_EXAMPLE_CONTENT"),
        "thread_from_mail": not is_set("FEATURES_DISABLE_THREAD_FROM_MAIL"),
        "explore_public_groups": told("FEATURES_EXPLORE_PUBLIC_GROUPS"),
        "template_gallery": told("FEATURES_TEMPLATE_GALLERY"),
        "show_contact": told("FEATURES_SHOW_CONTACT"),
        "show_contact_consent": told("FEATURES_SHOW_CONTACT_CONSENT"),
        "sso_disable_edit_profile": is_set("LOOMIO_SSO_FORCE_USER_ATTRS"),
        "sentry_sample_rate": _ruby_to_f(env.get("SENTRY_SAMPLE_RATE", "0.1")),
        "hidden_poll_templates": ["proposal", "question"],
        "transcription": bool(env.get("OPENAI_API_KEY", "").strip()),
        "max_message_length": env.get("LMO_MAX_MESSAGE_LENGTH", 100_000),
        "sitemap": told("FEATURES_SITEMAP"),
    }


def _ruby_to_f(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return 0.0
