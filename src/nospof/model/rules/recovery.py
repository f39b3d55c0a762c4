"""Rules of what keeps a failed part from being replaced."""

from __future__ import annotations

from nospof.model.rules.rule import Rule

RECOVERY = (
    Rule(
        "NSP501",
        "recovery/image-missing",
        title="What a replacement would be made from, the image above all, is gone.",
        why=(
            "The running members hide it: everything works until the first one has to be replaced, and "
            "then none can be. Old images are tidied away by people who cannot see who needs them."
        ),
        looks_at=(
            "The images, templates and snapshots that each group launches from, and whether they still exist."
        ),
        remedy="Make an image of a running member and launch from it; protect it from being deregistered.",
        related=("NSP503", "NSP508"),
    ),
    Rule(
        "NSP502",
        "recovery/template-zone-conflict",
        title="The template and its group disagree about where to launch.",
        why=(
            "A subnet or zone that is pinned in the template wins over what the group was told, or "
            "makes the launch fail. The second zone then exists on paper."
        ),
        looks_at="The subnets and zones of each launch template beside those of its group.",
        remedy="Leave network and placement out of the template and let the group choose.",
        related=("NSP201", "NSP501"),
    ),
    Rule(
        "NSP503",
        "recovery/bootstrap-egress",
        title="New members cannot start when one way out is lost.",
        why=(
            "A member that fetches packages or code at start needs the network out at the very moment "
            "when things are failing. One gateway in the failed zone, and nothing new comes up."
        ),
        looks_at="The way out of each subnet in which replacements are launched.",
        remedy="One NAT gateway per zone, or images that have all they need.",
        related=("NSP601", "NSP501"),
    ),
    Rule(
        "NSP504",
        "recovery/address-changes",
        title="After a stop the service has another address.",
        why=(
            "A public address that was lent by AWS is given back at stop. The machine returns and "
            "nobody finds it."
        ),
        looks_at="Instances that clients reach by a public address which is not an Elastic IP.",
        remedy="A balancer's name, or an Elastic IP where it must be one machine.",
        related=("NSP107", "NSP101"),
    ),
    Rule(
        "NSP505",
        "recovery/key-unusable",
        title="An encrypted disk could not be attached again.",
        why=(
            "A disk that is in use goes on working after its key was disabled, until the machine stops "
            "once. Then neither it nor a copy of it can be opened."
        ),
        looks_at="The state of the keys that volumes and snapshots are encrypted with.",
        remedy="Enable the key again, or cancel its deletion.",
        related=("NSP703", "NSP207"),
    ),
    Rule(
        "NSP506",
        "recovery/no-room",
        title="There is no room for a replacement.",
        why=(
            "A subnet without free addresses, or a capacity reservation that has ended, refuses the launch "
            "that was meant to save the day."
        ),
        looks_at=(
            "Free addresses of the subnets that members are launched in, and the state and end of the "
            "reservation that a template names."
        ),
        remedy="A larger or a further subnet; a reservation that lasts.",
        related=("NSP801", "NSP802"),
    ),
    Rule(
        "NSP507",
        "recovery/cold-start-deadlock",
        title="After a full stop some parts wait for each other and none can start.",
        why=(
            "Parts that depend on each other hold each other up as long as they run. Once all of them "
            "were off, nobody can be first."
        ),
        looks_at="Circles of needs: found by starting the service from nothing, in the model.",
        remedy="Let one of them start without the other, or write down the steps and practise them.",
        related=("NSP100",),
    ),
    Rule(
        "NSP508",
        "recovery/healing-suspended",
        title="Healing is switched off.",
        why=(
            "Somebody suspended a group's for an afternoon, and it stayed. The group looks as always and "
            "replaces nobody. A dedicated host's is off until somebody switches it on, a machine's is on "
            "until somebody switches it off."
        ),
        looks_at=(
            "The suspended processes of every Auto Scaling group; of members without a group, automatic "
            "recovery, alarms that recover them, and host recovery of the dedicated host they are on."
        ),
        remedy="Resume the processes; switch recovery on.",
        related=("NSP404", "NSP501"),
    ),
    Rule(
        "NSP509",
        "recovery/boot-trap",
        title="A machine would not boot again.",
        why=(
            "A disk that fstab asks for without `nofail` and that is not there stops the boot in emergency "
            "mode, where nobody can log in over the network. It shows at the first stop, which may be the "
            "cloud's own maintenance."
        ),
        looks_at=(
            "The mounts that fstab wants at boot beside what is mounted now and what is on disks that a stop "
            "empties, where somebody looked inside."
        ),
        remedy="Add `nofail` to the line, or take it out, and reboot once while another member serves.",
        related=("NSP304", "NSP504"),
    ),
)
