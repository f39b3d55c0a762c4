"""An Ansible playbook against the local cloud: launch, stop, image, start, balance and delete, and once more.

It takes minutes, most of them in waiters that ask every 15 s: it runs when asked for with `-m ansible`.
"""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

from support.local_cloud import RunningCloud
from support.programs import program

pytestmark = [pytest.mark.local_cloud, pytest.mark.ansible]

PLAYBOOK = """
- hosts: localhost
  gather_facts: false
  tasks:
    - amazon.aws.ec2_ami_info: {owners: self, filters: {name: nospof-demo-site}}
      register: base
    - amazon.aws.ec2_vpc_net_info: {filters: {is-default: "true"}}
      register: net
    - amazon.aws.ec2_vpc_subnet_info: {filters: {vpc-id: "{{ net.vpcs[0].vpc_id }}"}}
      register: nets
    - amazon.aws.ec2_security_group:
        name: shop
        description: shop
        vpc_id: "{{ net.vpcs[0].vpc_id }}"
        rules: [{proto: tcp, ports: [8080], cidr_ip: 0.0.0.0/0}]
      register: wall
    - amazon.aws.ec2_instance: &source
        name: shop
        image_id: "{{ base.images[0].image_id }}"
        instance_type: t3.micro
        vpc_subnet_id: "{{ nets.subnets[0].id }}"
        security_group: "{{ wall.group_id }}"
        state: running
        wait: true
      register: source
    - amazon.aws.ec2_instance: *source
      register: again
    - amazon.aws.ec2_instance: {instance_ids: "{{ source.instance_ids }}", state: stopped, wait: true}
    - amazon.aws.ec2_ami:
        instance_id: "{{ source.instance_ids[0] }}"
        name: shop-1
        no_reboot: true
        wait: true
        tags: {of: shop}
      register: image
    - amazon.aws.ec2_instance: {instance_ids: "{{ source.instance_ids }}", state: started, wait: true}
    - amazon.aws.ec2_instance:
        name: shop-twin
        image_id: "{{ image.image_id }}"
        instance_type: t3.micro
        vpc_subnet_id: "{{ nets.subnets[1].id }}"
        security_group: "{{ wall.group_id }}"
        state: running
        wait: true
      register: twin
    - community.aws.elb_target_group: &group
        name: shop
        protocol: http
        port: 8080
        vpc_id: "{{ net.vpcs[0].vpc_id }}"
        health_check_protocol: http
        health_check_path: /health
        health_check_interval: 5
        healthy_threshold_count: 2
        targets:
          - {Id: "{{ source.instance_ids[0] }}", Port: 8080}
          - {Id: "{{ twin.instance_ids[0] }}", Port: 8080}
        state: present
    - amazon.aws.elb_application_lb: &balancer
        name: shop
        subnets: ["{{ nets.subnets[0].id }}", "{{ nets.subnets[1].id }}"]
        security_groups: ["{{ wall.group_id }}"]
        listeners: [{Protocol: HTTP, Port: 8080, DefaultActions: [{Type: forward, TargetGroupName: shop}]}]
        state: present
      register: balancer
    - amazon.aws.elb_application_lb: *balancer
      register: balanced_again
    - ansible.builtin.uri: {url: "http://{{ balancer.dns_name }}:8080/"}
      register: page
      until: page.status == 200
      retries: 30
      delay: 1
    - ansible.builtin.assert:
        that: [not again.changed, not balanced_again.changed, image.state == "available"]
    - amazon.aws.elb_application_lb: {name: shop, state: absent, wait: true}
    - community.aws.elb_target_group: {name: shop, state: absent}
    - amazon.aws.ec2_instance:
        instance_ids: ["{{ source.instance_ids[0] }}", "{{ twin.instance_ids[0] }}"]
        state: absent
        wait: true
    - amazon.aws.ec2_ami: {image_id: "{{ image.image_id }}", state: absent, delete_snapshot: true}
    - amazon.aws.ec2_security_group: {name: shop, vpc_id: "{{ net.vpcs[0].vpc_id }}", state: absent}
"""


@pytest.mark.timeout(900)
def test_ansible_launches_stops_images_starts_balances_and_deletes(
    local_cloud: RunningCloud, tmp_path: Path
) -> None:
    playbook = tmp_path / "site.yml"
    playbook.write_text(PLAYBOOK)
    own = {"ANSIBLE_HOME": str(tmp_path), "ANSIBLE_LOCALHOST_WARNING": "0", "ANSIBLE_NOCOLOR": "1"}
    done = subprocess.run(
        [program("ansible-playbook", "ansible", "boto3"), str(playbook)],
        env={**os.environ, **local_cloud.environment, **own},
        capture_output=True,
        text=True,
        timeout=800,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"ok=2\d +changed=13 ", done.stdout), done.stdout
    ec2, elb = local_cloud.client("ec2"), local_cloud.client("elbv2")
    assert elb.describe_load_balancers()["LoadBalancers"] == []
    assert elb.describe_target_groups()["TargetGroups"] == []
    alive = [{"Name": "instance-state-name", "Values": ["pending", "running", "stopping", "stopped"]}]
    assert ec2.describe_instances(Filters=alive)["Reservations"] == []
    assert "shop-1" not in [one["Name"] for one in ec2.describe_images(Owners=["self"])["Images"]]
