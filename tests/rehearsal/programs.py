"""Pulumi programs for the real engine."""

from __future__ import annotations

BEANSTALK = """\
config = pulumi.Config("bentoship")
release = config.get("release") or "one"
owner = aws.Provider(
    "frankfurt", region="eu-central-1", default_tags=aws.ProviderDefaultTagsArgs(tags={"stack": pulumi.get_stack()})
)
o = pulumi.ResourceOptions(provider=owner)
kept = pulumi.ResourceOptions(provider=owner, retain_on_delete=config.get("keep") is not None)
bucket = aws.s3.Bucket("artifacts", opts=o)
private = aws.s3.BucketPublicAccessBlock("private", bucket=bucket.id, block_public_acls=True, opts=o)
archive = aws.s3.BucketObjectv2(
    f"release-{release}", bucket=bucket.id, key=f"releases/{release}.zip", source=pulumi.FileAsset("release.zip"),
    checksum_algorithm="SHA256", opts=o,
)
role = aws.iam.Role("vm", assume_role_policy=TRUST, description="runs releases", opts=o)
profile = aws.iam.InstanceProfile("vm", role=role.name, opts=o)
application = aws.elasticbeanstalk.Application("salary", opts=o)
version = aws.elasticbeanstalk.ApplicationVersion(
    f"release-{release}", application=application.name, bucket=bucket.id, key=archive.key, name=f"r-{release}", opts=o
)
platform = aws.elasticbeanstalk.get_solution_stack_output(
    most_recent=True, name_regex="running Python 3[.]12$", opts=pulumi.InvokeOutputOptions(provider=owner)
)
option = aws.elasticbeanstalk.EnvironmentSettingArgs
environment = aws.elasticbeanstalk.Environment(
    "salary",
    application=application.name,
    version=version.name,
    solution_stack_name=platform.name,
    cname_prefix=config.get("prefix"),
    settings=[
        option(namespace="aws:autoscaling:launchconfiguration", name="IamInstanceProfile", value=profile.name),
        option(namespace="aws:elasticbeanstalk:command", name="DeploymentPolicy", value="Immutable"),
    ],
    opts=o,
)
pulumi.export("url", environment.cname)
pulumi.export("version", environment.version)
pulumi.export("checksum", archive.checksum_sha256)
"""
ROLE = """\
role = aws.iam.Role("vm", assume_role_policy=TRUST, tags={"stack": pulumi.get_stack()})
profile = aws.iam.InstanceProfile("vm", role=role.name, tags={"stack": pulumi.get_stack()})
pulumi.export("profile", profile.arn)
"""
TWO_REGIONS = """\
for region in ("eu-central-1", "us-east-1"):
    o = pulumi.ResourceOptions(provider=aws.Provider(region, region=region))
    network = aws.ec2.get_vpc_output(default=True, opts=pulumi.InvokeOutputOptions(provider=o.provider))
    group = aws.ec2.SecurityGroup(f"vm-{region}", vpc_id=network.id, opts=o)
    for port in range(3):
        aws.vpc.SecurityGroupIngressRule(
            f"vm-{region}-{port}", security_group_id=group.id, ip_protocol="tcp", from_port=port, to_port=port,
            cidr_ipv4="10.0.0.0/8", opts=o,
        )
"""
