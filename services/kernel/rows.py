# SPDX-License-Identifier: AGPL-3.0-or-later
"""A row of every table, as asyncpg answers it. Written by `banyan sql models --write`; not to be edited.

Times are UTC without saying so, with microseconds. A store may take such a row as it is (`SELECT * FROM …`), or a
smaller one of its own, which `banyan sql check` compares with the schema all the same.
"""

from __future__ import annotations

from datetime import date, datetime
from ipaddress import IPv4Address, IPv4Interface, IPv6Address, IPv6Interface
from typing import Any

import msgspec

Address = IPv4Address | IPv4Interface | IPv6Address | IPv6Interface


class ActionMailboxInboundEmail(msgspec.Struct, frozen=True, kw_only=True):
    """A row of `action_mailbox_inbound_emails`."""

    id: int
    status: int
    message_id: str
    message_checksum: str
    created_at: datetime
    updated_at: datetime


class ActiveAdminComment(msgspec.Struct, frozen=True, kw_only=True):
    """A row of `active_admin_comments`."""

    id: int
    namespace: str | None
    body: str | None
    resource_type: str | None
    resource_id: int | None
    author_type: str | None
    author_id: int | None
    created_at: datetime
    updated_at: datetime


class ActiveStorageAttachment(msgspec.Struct, frozen=True, kw_only=True):
    """A row of `active_storage_attachments`."""

    id: int
    name: str
    record_type: str
    record_id: int
    blob_id: int
    created_at: datetime
    group_id: int | None


class ActiveStorageBlob(msgspec.Struct, frozen=True, kw_only=True):
    """A row of `active_storage_blobs`."""

    id: int
    key: str
    filename: str
    content_type: str | None
    metadata: str | None
    byte_size: int
    checksum: str | None
    created_at: datetime
    service_name: str


class ActiveStorageVariantRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A row of `active_storage_variant_records`."""

    id: int
    blob_id: int
    variation_digest: str


class ArInternalMetadata(msgspec.Struct, frozen=True, kw_only=True):
    """A row of `ar_internal_metadata`."""

    key: str
    value: str | None
    created_at: datetime
    updated_at: datetime


class Attachment(msgspec.Struct, frozen=True, kw_only=True):
    """A row of `attachments`."""

    id: int
    user_id: int | None
    filename: str | None
    location: str | None
    comment_id: int | None
    created_at: datetime
    updated_at: datetime
    filesize: int | None
    file_file_name: str | None
    file_content_type: str | None
    file_file_size: int | None
    file_updated_at: datetime | None
    attachable_id: int | None
    attachable_type: str | None
    migrated_to_document: bool


class BlazerAudit(msgspec.Struct, frozen=True, kw_only=True):
    """A row of `blazer_audits`."""

    id: int
    user_id: int | None
    query_id: int | None
    statement: str | None
    data_source: str | None
    created_at: datetime | None


class BlazerCheck(msgspec.Struct, frozen=True, kw_only=True):
    """A row of `blazer_checks`."""

    id: int
    creator_id: int | None
    query_id: int | None
    state: str | None
    schedule: str | None
    emails: str | None
    slack_channels: str | None
    check_type: str | None
    message: str | None
    last_run_at: datetime | None
    created_at: datetime
    updated_at: datetime


class BlazerDashboardQuery(msgspec.Struct, frozen=True, kw_only=True):
    """A row of `blazer_dashboard_queries`."""

    id: int
    dashboard_id: int | None
    query_id: int | None
    position: int | None
    created_at: datetime
    updated_at: datetime


class BlazerDashboard(msgspec.Struct, frozen=True, kw_only=True):
    """A row of `blazer_dashboards`."""

    id: int
    creator_id: int | None
    name: str | None
    created_at: datetime
    updated_at: datetime


class BlazerQuery(msgspec.Struct, frozen=True, kw_only=True):
    """A row of `blazer_queries`."""

    id: int
    creator_id: int | None
    name: str | None
    description: str | None
    statement: str | None
    data_source: str | None
    status: str | None
    created_at: datetime
    updated_at: datetime


class BlockedDomain(msgspec.Struct, frozen=True, kw_only=True):
    """A row of `blocked_domains`."""

    id: int
    name: str | None


class Chatbot(msgspec.Struct, frozen=True, kw_only=True):
    """A row of `chatbots`."""

    id: int
    kind: str | None
    server: str | None
    channel: str | None
    access_token: str | None
    author_id: int | None
    group_id: int | None
    created_at: datetime
    updated_at: datetime
    name: str | None
    notification_only: bool
    webhook_kind: str | None
    event_kinds: list[str] | None


class Cohort(msgspec.Struct, frozen=True, kw_only=True):
    """A row of `cohorts`."""

    id: int
    start_on: date | None
    end_on: date | None


class Comment(msgspec.Struct, frozen=True, kw_only=True):
    """A row of `comments`."""

    id: int
    discussion_id: int | None
    body: str | None
    user_id: int | None
    parent_id: int | None
    created_at: datetime | None
    updated_at: datetime | None
    comment_votes_count: int
    attachments_count: int
    edited_at: datetime | None
    versions_count: int | None
    body_format: str
    attachments: Any
    discarded_at: datetime | None
    discarded_by: int | None
    content_locale: str | None
    link_previews: Any
    parent_type: str


class DefaultGroupCover(msgspec.Struct, frozen=True, kw_only=True):
    """A row of `default_group_covers`."""

    id: int
    cover_photo_file_name: str | None
    cover_photo_content_type: str | None
    cover_photo_file_size: int | None
    cover_photo_updated_at: datetime | None
    created_at: datetime | None
    updated_at: datetime | None


class Demo(msgspec.Struct, frozen=True, kw_only=True):
    """A row of `demos`."""

    id: int
    author_id: int
    group_id: int
    name: str
    description: str | None
    recorded_at: datetime
    created_at: datetime
    updated_at: datetime
    priority: int
    demo_handle: str | None


class DiscussionReader(msgspec.Struct, frozen=True, kw_only=True):
    """A row of `discussion_readers`."""

    id: int
    user_id: int
    created_at: datetime | None
    updated_at: datetime | None
    discussion_id: int
    last_read_at: datetime | None
    last_read_sequence_id: int
    volume: int
    participating: bool
    dismissed_at: datetime | None
    read_ranges_string: str | None
    inviter_id: int | None
    token: str | None
    revoked_at: datetime | None
    admin: bool
    accepted_at: datetime | None
    revoker_id: int | None
    guest: bool


class DiscussionTemplate(msgspec.Struct, frozen=True, kw_only=True):
    """A row of `discussion_templates`."""

    id: int
    source_discussion_id: int | None
    key: str | None
    group_id: int | None
    position: int | None
    author_id: int | None
    title: str | None
    description: str | None
    description_format: str
    process_name: str | None
    process_subtitle: str | None
    process_introduction: str | None
    process_introduction_format: str
    attachments: Any
    max_depth: int
    newest_first: bool
    discarded_at: datetime | None
    discarded_by: int | None
    content_locale: str | None
    link_previews: Any
    tags: list[str] | None
    created_at: datetime
    updated_at: datetime
    poll_template_keys_or_ids: Any
    title_placeholder: str | None
    public: bool
    recipient_audience: str | None


class Discussion(msgspec.Struct, frozen=True, kw_only=True):
    """A row of `discussions`."""

    id: int
    group_id: int | None
    author_id: int | None
    created_at: datetime | None
    updated_at: datetime | None
    title: str | None
    last_comment_at: datetime | None
    description: str | None
    items_count: int
    closed_at: datetime | None
    private: bool
    key: str | None
    iframe_src: str | None
    last_activity_at: datetime | None
    last_sequence_id: int
    first_sequence_id: int
    versions_count: int | None
    closed_polls_count: int
    importance: int
    seen_by_count: int
    ranges_string: str | None
    description_format: str
    attachments: Any
    info: Any
    max_depth: int
    newest_first: bool
    discarded_at: datetime | None
    members_count: int | None
    anonymous_polls_count: int
    content_locale: str | None
    link_previews: Any
    pinned_at: datetime | None
    discarded_by: int | None
    template: bool
    tags: list[str] | None
    discussion_template_id: int | None
    discussion_template_key: str | None
    closer_id: int | None


class Document(msgspec.Struct, frozen=True, kw_only=True):
    """A row of `documents`."""

    id: int
    model_id: int | None
    model_type: str | None
    title: str | None
    url: str | None
    doctype: str
    color: str
    created_at: datetime | None
    updated_at: datetime | None
    icon: str | None
    author_id: int
    web_url: str | None
    thumb_url: str | None
    file_file_name: str | None
    file_content_type: str | None
    group_id: int | None


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """A row of `events`."""

    id: int
    kind: str | None
    created_at: datetime | None
    updated_at: datetime | None
    eventable_id: int | None
    eventable_type: str | None
    user_id: int | None
    discussion_id: int | None
    sequence_id: int | None
    announcement: bool
    custom_fields: Any
    parent_id: int | None
    position: int
    child_count: int
    depth: int
    pinned: bool
    position_key: str | None
    descendant_count: int
    eventable_version_id: int | None


class ForwardEmailRule(msgspec.Struct, frozen=True, kw_only=True):
    """A row of `forward_email_rules`."""

    id: int
    handle: str
    email: str | None


class GroupIdentity(msgspec.Struct, frozen=True, kw_only=True):
    """A row of `group_identities`."""

    id: int
    group_id: int
    identity_id: int
    custom_fields: Any
    created_at: datetime
    updated_at: datetime


class GroupSurvey(msgspec.Struct, frozen=True, kw_only=True):
    """A row of `group_surveys`."""

    id: int
    group_id: int
    category: str | None
    location: str | None
    size: str | None
    declaration: str | None
    purpose: str | None
    usage: str | None
    referrer: str | None
    role: str | None
    website: str | None
    misc: str | None
    created_at: datetime
    updated_at: datetime
    desired_feature: str | None
    segment: str | None


class Group(msgspec.Struct, frozen=True, kw_only=True):
    """A row of `groups`."""

    id: int
    name: str | None
    created_at: datetime | None
    updated_at: datetime | None
    parent_id: int | None
    description: str | None
    memberships_count: int
    archived_at: datetime | None
    discussions_count: int
    full_name: str | None
    parent_members_can_see_discussions: bool
    key: str | None
    category_id: int | None
    handle: str | None
    theme_id: int | None
    is_visible_to_public: bool
    is_visible_to_parent_members: bool
    discussion_privacy_options: str
    members_can_add_members: bool
    membership_granted_upon: str
    members_can_edit_discussions: bool
    cover_photo_file_name: str | None
    cover_photo_content_type: str | None
    cover_photo_file_size: int | None
    cover_photo_updated_at: datetime | None
    logo_file_name: str | None
    logo_content_type: str | None
    logo_file_size: int | None
    logo_updated_at: datetime | None
    members_can_edit_comments: bool | None
    members_can_raise_motions: bool
    members_can_vote: bool
    members_can_start_discussions: bool
    members_can_create_subgroups: bool
    creator_id: int | None
    is_referral: bool
    cohort_id: int | None
    default_group_cover_id: int | None
    subscription_id: int | None
    invitations_count: int
    admin_memberships_count: int
    public_discussions_count: int
    country: str | None
    region: str | None
    city: str | None
    closed_motions_count: int
    proposal_outcomes_count: int
    pending_memberships_count: int
    recent_activity_count: int
    closed_polls_count: int
    polls_count: int
    subgroups_count: int
    open_discussions_count: int
    closed_discussions_count: int
    token: str | None
    admin_tags: str | None
    members_can_announce: bool
    description_format: str
    attachments: Any
    info: Any
    new_threads_max_depth: int
    new_threads_newest_first: bool
    admins_can_edit_user_content: bool
    listed_in_explore: bool
    content_locale: str | None
    members_can_add_guests: bool
    members_can_delete_comments: bool
    link_previews: Any
    discussion_templates_count: int
    poll_templates_count: int
    request_to_join_prompt: str | None
    delegates_count: int
    category: str | None
    can_start_polls_without_discussion: bool


class LoginToken(msgspec.Struct, frozen=True, kw_only=True):
    """A row of `login_tokens`."""

    id: int
    user_id: int | None
    token: str | None
    used: bool
    created_at: datetime | None
    updated_at: datetime | None
    redirect: str | None
    code: int
    is_reactivation: bool


class MemberEmailAlias(msgspec.Struct, frozen=True, kw_only=True):
    """A row of `member_email_aliases`."""

    id: int
    email: str
    require_dkim: bool
    require_spf: bool
    user_id: int | None
    group_id: int
    author_id: int
    created_at: datetime
    updated_at: datetime


class MembershipRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A row of `membership_requests`."""

    id: int
    name: str | None
    email: str | None
    introduction: str | None
    group_id: int | None
    created_at: datetime
    updated_at: datetime
    requestor_id: int | None
    responder_id: int | None
    response: str | None
    responded_at: datetime | None


class Membership(msgspec.Struct, frozen=True, kw_only=True):
    """A row of `memberships`."""

    id: int
    group_id: int | None
    user_id: int | None
    created_at: datetime | None
    updated_at: datetime | None
    inviter_id: int | None
    revoked_at: datetime | None
    inbox_position: int | None
    admin: bool
    volume: int | None
    experiences: Any
    invitation_id: int | None
    token: str | None
    accepted_at: datetime | None
    title: str | None
    saml_session_expires_at: datetime | None
    revoker_id: int | None
    delegate: bool


class Notification(msgspec.Struct, frozen=True, kw_only=True):
    """A row of `notifications`."""

    id: int
    user_id: int | None
    created_at: datetime | None
    updated_at: datetime | None
    event_id: int | None
    viewed: bool
    translation_values: Any
    url: str | None
    actor_id: int | None


class OauthAccessGrant(msgspec.Struct, frozen=True, kw_only=True):
    """A row of `oauth_access_grants`."""

    id: int
    resource_owner_id: int
    application_id: int
    token: str
    expires_in: int
    redirect_uri: str
    created_at: datetime
    revoked_at: datetime | None
    scopes: str | None


class OauthAccessToken(msgspec.Struct, frozen=True, kw_only=True):
    """A row of `oauth_access_tokens`."""

    id: int
    resource_owner_id: int | None
    application_id: int | None
    token: str
    refresh_token: str | None
    expires_in: int | None
    revoked_at: datetime | None
    created_at: datetime
    scopes: str | None


class OauthApplication(msgspec.Struct, frozen=True, kw_only=True):
    """A row of `oauth_applications`."""

    id: int
    name: str
    uid: str
    secret: str
    redirect_uri: str
    scopes: str
    created_at: datetime | None
    updated_at: datetime | None
    owner_id: int | None
    owner_type: str | None
    logo_file_name: str | None
    logo_content_type: str | None
    logo_file_size: int | None
    logo_updated_at: datetime | None


class OmniauthIdentity(msgspec.Struct, frozen=True, kw_only=True):
    """A row of `omniauth_identities`."""

    id: int
    user_id: int | None
    email: str | None
    created_at: datetime
    updated_at: datetime
    identity_type: str | None
    uid: str | None
    name: str | None
    access_token: str | None
    logo: str | None
    custom_fields: Any


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """A row of `outcomes`."""

    id: int
    poll_id: int | None
    statement: str
    author_id: int
    created_at: datetime | None
    updated_at: datetime | None
    latest: bool
    poll_option_id: int | None
    custom_fields: Any
    statement_format: str
    attachments: Any
    versions_count: int
    review_on: date | None
    content_locale: str | None
    link_previews: Any


class PartitionSequence(msgspec.Struct, frozen=True, kw_only=True):
    """A row of `partition_sequences`."""

    key: str
    id: int
    counter: int | None


class PgSearchDocument(msgspec.Struct, frozen=True, kw_only=True):
    """A row of `pg_search_documents`."""

    id: int
    content: str | None
    ts_content: str | None
    author_id: int | None
    group_id: int | None
    discussion_id: int | None
    poll_id: int | None
    searchable_type: str | None
    searchable_id: int | None
    created_at: datetime
    updated_at: datetime
    authored_at: datetime | None


class PollOption(msgspec.Struct, frozen=True, kw_only=True):
    """A row of `poll_options`."""

    id: int
    name: str
    poll_id: int | None
    priority: int
    score_counts: Any
    voter_scores: Any
    total_score: int
    voter_count: int
    icon: str | None
    meaning: str | None
    prompt: str | None
    created_at: datetime | None
    updated_at: datetime | None
    test_operator: str | None
    test_percent: int | None
    test_against: str | None


class PollTemplate(msgspec.Struct, frozen=True, kw_only=True):
    """A row of `poll_templates`."""

    id: int
    key: str | None
    group_id: int
    position: int
    author_id: int
    poll_type: str
    process_name: str | None
    process_subtitle: str | None
    title: str | None
    details: str | None
    details_format: str
    anonymous: bool
    specified_voters_only: bool
    notify_on_closing_soon: int
    content_locale: str | None
    shuffle_options: bool
    hide_results: int
    chart_type: str | None
    min_score: int | None
    max_score: int | None
    minimum_stance_choices: int | None
    maximum_stance_choices: int | None
    dots_per_person: int | None
    reason_prompt: str | None
    poll_options: Any
    stance_reason_required: int
    limit_reason_length: bool
    default_duration_in_days: int
    agree_target: int | None
    created_at: datetime
    updated_at: datetime
    meeting_duration: int | None
    can_respond_maybe: bool
    poll_option_name_format: str
    link_previews: Any
    atttachments: Any
    tags: list[str] | None
    discarded_at: datetime | None
    process_introduction: str | None
    process_introduction_format: str
    title_placeholder: str | None
    outcome_statement: str | None
    outcome_statement_format: str
    outcome_review_due_in_days: int | None
    public: bool
    show_none_of_the_above: bool
    quorum_pct: int | None


class Poll(msgspec.Struct, frozen=True, kw_only=True):
    """A row of `polls`."""

    id: int
    author_id: int
    title: str
    details: str | None
    closing_at: datetime | None
    closed_at: datetime | None
    created_at: datetime | None
    updated_at: datetime | None
    discussion_id: int | None
    key: str
    poll_type: str
    stance_data: Any
    voters_count: int
    multiple_choice: bool
    custom_fields: Any
    stance_counts: Any
    group_id: int | None
    matrix_counts: Any
    undecided_voters_count: int
    voter_can_add_options: bool
    anonymous: bool
    versions_count: int | None
    details_format: str
    attachments: Any
    discarded_at: datetime | None
    discarded_by: int | None
    specified_voters_only: bool
    notify_on_closing_soon: int
    content_locale: str | None
    link_previews: Any
    shuffle_options: bool
    hide_results: int
    chart_type: str | None
    min_score: int | None
    max_score: int | None
    minimum_stance_choices: int | None
    maximum_stance_choices: int | None
    dots_per_person: int | None
    process_name: str | None
    template: bool
    reason_prompt: str | None
    poll_option_name_format: str | None
    stance_reason_required: int
    limit_reason_length: bool
    default_duration_in_days: int | None
    agree_target: int | None
    process_subtitle: str | None
    process_url: str | None
    tags: list[str] | None
    poll_template_id: int | None
    poll_template_key: str | None
    show_none_of_the_above: bool
    none_of_the_above_count: int
    quorum_pct: int | None


class Reaction(msgspec.Struct, frozen=True, kw_only=True):
    """A row of `reactions`."""

    id: int
    reactable_id: int | None
    user_id: int | None
    created_at: datetime | None
    updated_at: datetime | None
    reaction: str
    reactable_type: str


class ReceivedEmail(msgspec.Struct, frozen=True, kw_only=True):
    """A row of `received_emails`."""

    id: int
    group_id: int | None
    headers: dict[str, str | None]
    body_text: str | None
    body_html: str | None
    spf_valid: bool
    dkim_valid: bool
    released: bool
    created_at: datetime
    updated_at: datetime


class SchemaMigration(msgspec.Struct, frozen=True, kw_only=True):
    """A row of `schema_migrations`."""

    version: str


class StanceChoice(msgspec.Struct, frozen=True, kw_only=True):
    """A row of `stance_choices`."""

    id: int
    stance_id: int | None
    poll_option_id: int | None
    score: int
    created_at: datetime | None
    updated_at: datetime | None


class StanceReceipt(msgspec.Struct, frozen=True, kw_only=True):
    """A row of `stance_receipts`."""

    id: int
    poll_id: int | None
    voter_id: int | None
    inviter_id: int | None
    invited_at: datetime | None
    vote_cast: bool | None
    created_at: datetime
    updated_at: datetime


class Stance(msgspec.Struct, frozen=True, kw_only=True):
    """A row of `stances`."""

    id: int
    poll_id: int
    participant_id: int | None
    reason: str | None
    latest: bool
    created_at: datetime | None
    updated_at: datetime | None
    versions_count: int | None
    reason_format: str
    attachments: Any
    cast_at: datetime | None
    token: str | None
    revoked_at: datetime | None
    admin: bool
    inviter_id: int | None
    volume: int
    accepted_at: datetime | None
    content_locale: str | None
    link_previews: Any
    option_scores: Any
    revoker_id: int | None
    guest: bool
    none_of_the_above: bool


class Subscription(msgspec.Struct, frozen=True, kw_only=True):
    """A row of `subscriptions`."""

    id: int
    expires_at: datetime | None
    chargify_subscription_id: int | None
    plan: str | None
    payment_method: str
    owner_id: int | None
    max_threads: int | None
    max_members: int | None
    max_orgs: int | None
    state: str
    members_count: int | None
    created_at: datetime | None
    updated_at: datetime | None
    info: Any
    canceled_at: datetime | None
    activated_at: datetime | None
    renews_at: datetime | None
    renewed_at: datetime | None
    allow_subgroups: bool
    allow_guests: bool
    lead_status: str | None


class Tagging(msgspec.Struct, frozen=True, kw_only=True):
    """A row of `taggings`."""

    id: int
    tag_id: int
    taggable_id: int
    created_at: datetime | None
    updated_at: datetime | None
    taggable_type: str


class Tag(msgspec.Struct, frozen=True, kw_only=True):
    """A row of `tags`."""

    id: int
    group_id: int | None
    name: str
    color: str | None
    created_at: datetime | None
    updated_at: datetime | None
    taggings_count: int | None
    priority: int
    org_taggings_count: int


class Task(msgspec.Struct, frozen=True, kw_only=True):
    """A row of `tasks`."""

    id: int
    record_type: str | None
    record_id: int | None
    author_id: int
    uid: int
    name: str
    done: bool
    done_at: datetime | None
    due_on: date | None
    created_at: datetime
    updated_at: datetime
    discarded_at: datetime | None
    doer_id: int | None
    remind: int | None
    remind_at: datetime | None


class TasksUser(msgspec.Struct, frozen=True, kw_only=True):
    """A row of `tasks_users`."""

    id: int
    task_id: int | None
    user_id: int | None
    created_at: datetime
    updated_at: datetime


class Translation(msgspec.Struct, frozen=True, kw_only=True):
    """A row of `translations`."""

    id: int
    translatable_id: int | None
    translatable_type: str | None
    fields: dict[str, str | None] | None
    language: str | None
    created_at: datetime
    updated_at: datetime


class UserDeactivationResponse(msgspec.Struct, frozen=True, kw_only=True):
    """A row of `user_deactivation_responses`."""

    id: int
    user_id: int | None
    body: str | None


class User(msgspec.Struct, frozen=True, kw_only=True):
    """A row of `users`."""

    id: int
    email: str | None
    encrypted_password: str | None
    reset_password_token: str | None
    reset_password_sent_at: datetime | None
    remember_created_at: datetime | None
    sign_in_count: int | None
    current_sign_in_at: datetime | None
    last_sign_in_at: datetime | None
    created_at: datetime | None
    updated_at: datetime | None
    name: str | None
    deactivated_at: datetime | None
    is_admin: bool | None
    avatar_kind: str
    uploaded_avatar_file_name: str | None
    uploaded_avatar_content_type: str | None
    uploaded_avatar_file_size: int | None
    uploaded_avatar_updated_at: datetime | None
    avatar_initials: str | None
    username: str | None
    email_when_proposal_closing_soon: bool
    authentication_token: str | None
    unsubscribe_token: str | None
    memberships_count: int
    selected_locale: str | None
    time_zone: str | None
    key: str | None
    detected_locale: str | None
    email_catch_up: bool
    email_api_key: str | None
    email_when_mentioned: bool
    email_on_participation: bool
    default_membership_volume: int
    country: str | None
    region: str | None
    city: str | None
    experiences: Any
    facebook_community_id: int | None
    slack_community_id: int | None
    remember_token: str | None
    short_bio: str
    email_verified: bool
    location: str
    last_seen_at: datetime | None
    legal_accepted_at: datetime | None
    email_newsletter: bool
    failed_attempts: int
    unlock_token: str | None
    locked_at: datetime | None
    short_bio_format: str
    attachments: Any
    current_sign_in_ip: Address | None
    last_sign_in_ip: Address | None
    secret_token: str
    content_locale: str | None
    bot: bool
    link_previews: Any
    email_catch_up_day: int | None
    date_time_pref: str | None
    api_key: str | None
    deactivator_id: int | None
    autodetect_time_zone: bool
    email_sha256: str | None
    complaints_count: int
    auto_translate: bool


class Version(msgspec.Struct, frozen=True, kw_only=True):
    """A row of `versions`."""

    id: int
    item_type: str
    item_id: int
    event: str
    whodunnit: int | None
    created_at: datetime | None
    object_changes: Any


class Webhook(msgspec.Struct, frozen=True, kw_only=True):
    """A row of `webhooks`."""

    id: int
    group_id: int
    name: str
    url: str | None
    event_kinds: Any
    created_at: datetime | None
    updated_at: datetime | None
    format: str | None
    include_body: bool | None
    include_subgroups: bool
    is_broken: bool
    token: str | None
    author_id: int | None
    actor_id: int | None
    permissions: list[str]
    last_used_at: datetime | None


TABLES: dict[str, type[msgspec.Struct]] = {
    "action_mailbox_inbound_emails": ActionMailboxInboundEmail,
    "active_admin_comments": ActiveAdminComment,
    "active_storage_attachments": ActiveStorageAttachment,
    "active_storage_blobs": ActiveStorageBlob,
    "active_storage_variant_records": ActiveStorageVariantRecord,
    "ar_internal_metadata": ArInternalMetadata,
    "attachments": Attachment,
    "blazer_audits": BlazerAudit,
    "blazer_checks": BlazerCheck,
    "blazer_dashboard_queries": BlazerDashboardQuery,
    "blazer_dashboards": BlazerDashboard,
    "blazer_queries": BlazerQuery,
    "blocked_domains": BlockedDomain,
    "chatbots": Chatbot,
    "cohorts": Cohort,
    "comments": Comment,
    "default_group_covers": DefaultGroupCover,
    "demos": Demo,
    "discussion_readers": DiscussionReader,
    "discussion_templates": DiscussionTemplate,
    "discussions": Discussion,
    "documents": Document,
    "events": Event,
    "forward_email_rules": ForwardEmailRule,
    "group_identities": GroupIdentity,
    "group_surveys": GroupSurvey,
    "groups": Group,
    "login_tokens": LoginToken,
    "member_email_aliases": MemberEmailAlias,
    "membership_requests": MembershipRequest,
    "memberships": Membership,
    "notifications": Notification,
    "oauth_access_grants": OauthAccessGrant,
    "oauth_access_tokens": OauthAccessToken,
    "oauth_applications": OauthApplication,
    "omniauth_identities": OmniauthIdentity,
    "outcomes": Outcome,
    "partition_sequences": PartitionSequence,
    "pg_search_documents": PgSearchDocument,
    "poll_options": PollOption,
    "poll_templates": PollTemplate,
    "polls": Poll,
    "reactions": Reaction,
    "received_emails": ReceivedEmail,
    "schema_migrations": SchemaMigration,
    "stance_choices": StanceChoice,
    "stance_receipts": StanceReceipt,
    "stances": Stance,
    "subscriptions": Subscription,
    "taggings": Tagging,
    "tags": Tag,
    "tasks": Task,
    "tasks_users": TasksUser,
    "translations": Translation,
    "user_deactivation_responses": UserDeactivationResponse,
    "users": User,
    "versions": Version,
    "webhooks": Webhook,
}
"""Every table, by name."""
