"""What each kind of endpoint is known to do otherwise than AWS, by the contract's tests.

A gap that has closed fails its test (the expectation is strict), and goes from here.
"""

NO_IMAGE = "moto's CreateImage answers 500 when snapshots are to be tagged"
NO_ROOTS = "moto replaces no root volumes"
NO_PLACEMENT = "moto has no placement groups"
NO_DEPENDENCY = "moto deletes security groups that are needed"
NOT_IDEMPOTENT = "moto ignores ClientToken"
NO_SETTING = "moto's RunInstances drops this"
NO_BATCHES = "moto's change batches are no transactions, and DELETE looks at history, not at what is there"
NEVER_FIRES = "moto keeps schedules and carries none out"
NO_HEALTH = "moto's targets are always healthy"
NO_REFUSAL = "moto answers 500 for a group or a member that is not there"
MOTO = {
    "test_a_running_instance_gets_the_root_of_an_image_and_keeps_all_else": NO_ROOTS,
    "test_one_that_is_off_gets_none": NO_ROOTS,
    "test_the_root_of_an_unknown_image_is_not_found": NO_ROOTS,
    "test_an_unknown_task_is_not_found": NO_ROOTS,
    "test_a_started_instance_is_seen_to_be_pending": "moto's instances run as soon as they are described",
    "test_a_start_is_refused_while_stopping": "moto's instances stop at once",
    "test_stopping_a_terminated_instance_is_refused": "moto stops terminated instances",
    "test_rebooting_a_stopped_instance_is_refused": "moto reboots stopped instances",
    "test_a_running_instance_stays_what_it_is": "moto changes the type of what runs",
    "test_an_announced_event_is_in_the_status": "moto announces no events",
    "test_an_event_is_moved_to_a_time_before_its_deadline_and_to_no_other": "moto announces no events",
    "test_a_stop_and_start_is_done_with_what_was_announced_and_a_reboot_is_not": "moto announces no events",
    "test_an_unknown_instance_cannot_be_tagged": "moto tags what does not exist",
    "test_an_image_becomes_available_and_a_repeat_returns_it": NO_IMAGE,
    "test_every_volume_gets_a_snapshot_found_by_the_image_name": NO_IMAGE,
    "test_the_snapshots_of_a_volume_that_was_not_asked_for_are_left_out": NO_IMAGE,
    "test_snapshots_tell_their_point_in_time_and_an_instance_its_last_start": NO_IMAGE,
    "test_a_running_source_keeps_running": NO_IMAGE,
    "test_a_twin_comes_out_of_an_image": NO_IMAGE,
    "test_nothing_is_launched_from_an_image_that_is_pending": NO_IMAGE,
    "test_a_repeat_with_the_same_token_returns_the_same_instance": NOT_IDEMPOTENT,
    "test_a_token_is_refused_for_another_type": NOT_IDEMPOTENT,
    "test_a_token_used_with_other_tags_still_finds_its_instance": NOT_IDEMPOTENT,
    "test_nothing_is_launched_from_an_unknown_image": "moto launches unknown images",
    "test_nothing_is_launched_with_an_unknown_type": "moto launches unknown types",
    "test_a_stopped_instance_moves_into_a_group_and_out_of_it": NO_PLACEMENT,
    "test_a_running_instance_is_not_moved": NO_PLACEMENT,
    "test_an_instance_is_launched_into_a_group": NO_PLACEMENT,
    "test_a_placement_group_with_a_member_stays_until_it_is_empty": NO_PLACEMENT,
    "test_an_image_goes_and_then_its_snapshots": NO_IMAGE,
    "test_a_pending_image_is_deregistered_and_its_snapshots_deleted": NO_IMAGE,
    "test_a_security_group_that_another_lets_in_stays_until_that_is_revoked": NO_DEPENDENCY,
    "test_a_security_group_with_an_instance_in_it_stays": NO_DEPENDENCY,
    "test_a_target_group_in_use_stays_until_its_balancer_is_gone": "moto's groups never forget a balancer",
    "test_tenancy": NO_SETTING,
    "test_disks_are_what_was_bought_and_hold_what_the_image_holds": NO_SETTING,
    "test_credits": NO_SETTING,
    "test_protection_against_termination": NO_SETTING,
    "test_private_names": NO_SETTING,
    "test_one_subnet_is_refused": "moto makes application balancers in one subnet",
    "test_a_target_without_a_balancer_is_unused": NO_HEALTH,
    "test_a_target_on_a_port_nobody_listens_on_is_unhealthy": NO_HEALTH,
    "test_a_deregistered_target_drains_then_is_gone_and_a_repeat_changes_nothing": "moto does not drain",
    "test_an_unknown_instance_is_not_registered": "moto registers what does not exist",
    "test_a_record_becomes_two_by_weight_and_is_as_before_again": NO_BATCHES,
    "test_what_is_there_otherwise_is_not_replaced": NO_BATCHES,
    "test_of_a_batch_that_cannot_be_made_whole_nothing_is_made": NO_BATCHES,
    "test_a_change_is_not_answered_everywhere_at_once": "moto's changes are in sync at once",
    "test_a_member_that_is_off_is_ended_unless_the_processes_are_suspended": "moto's groups look at nobody",
    "test_a_group_that_is_gone_acts_no_more_and_cannot_be_suspended": NO_REFUSAL,
    "test_what_is_in_no_group_is_healthy_for_all_it_matters": NO_REFUSAL,
    "test_a_balancer_that_is_protected_is_not_deleted": "moto deletes protected balancers",
    "test_a_start_happens_at_its_time_and_one_that_was_moved_at_its_new_one": NEVER_FIRES,
    "test_a_start_that_is_taken_back_does_not_happen": NEVER_FIRES,
    "test_a_start_as_a_role_that_the_scheduler_may_not_take_is_refused": "moto looks at no role",
    "test_a_member_becomes_healthy_leaves_and_repeats_change_nothing": (
        "moto's classic balancers take a member twice"
    ),
    "test_whoever_may_do_all_is_told_so_of_a_call_without_a_rehearsal_and_nothing_happens": (
        "moto has no simulation of policies"
    ),
}

GAPS = {"moto": MOTO}
