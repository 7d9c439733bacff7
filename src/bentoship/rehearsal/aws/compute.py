"""Instances, launch templates and auto-scaling groups; Elastic Beanstalk.

EC2 API reference (RunInstances, CreateLaunchTemplate), Auto Scaling API reference (CreateAutoScalingGroup), Elastic
Beanstalk API reference (CreateApplication, CreateApplicationVersion, CreateEnvironment); terraform-provider-aws
internal/service/{ec2,autoscaling,elasticbeanstalk} for what can't be changed.
"""

from __future__ import annotations

from ..rules import Calls, Name, Reference, Rules, Seconds
from . import checks, options
from .network import GROUP_IN_USE, INSTANCE, NO_GROUP, NO_SUBNET, SECURITY_GROUP, SUBNET, in_use
from .services import AUTO_SCALING, EC2, ELASTIC_BEANSTALK
from .storage import BUCKET, OBJECT

TEMPLATE = "aws:ec2/launchTemplate:LaunchTemplate"
GROUP = "aws:autoscaling/group:Group"
APPLICATION = "aws:elasticbeanstalk/application:Application"
VERSION = "aws:elasticbeanstalk/applicationVersion:ApplicationVersion"
ENVIRONMENT = "aws:elasticbeanstalk/environment:Environment"
PROFILE = "aws:iam/instanceProfile:InstanceProfile"
_TARGETS = "aws:lb/targetGroup:TargetGroup"
_LAUNCH = "aws:autoscaling:launchconfiguration"
_INSTANCE_TYPE = (r"[a-z0-9-]+\.[a-z0-9-]+", "an instance type such as t3.small")
_AMI = (r"ami-[0-9a-f]{8,17}|resolve:ssm:.+", "the id of an image")
_PERCENT = (0, 100)
_NO_PROFILE = "InvalidParameterValue: Value ({value}) for parameter iamInstanceProfile.name is invalid."
_NO_TEMPLATE = (
    "InvalidLaunchTemplateId.NotFoundException: The specified launch template, with template ID {value}, does not "
    "exist."
)
_NO_APPLICATION = "InvalidParameterValue: No Application named '{value}' found."
_VOLUMES = ("standard", "gp2", "gp3", "io1", "io2", "st1", "sc1")
_METADATA = {
    "metadataOptions.httpEndpoint": ("enabled", "disabled"),
    "metadataOptions.httpTokens": ("optional", "required"),
}


def _of_application(holds: str) -> Reference:
    return Reference("application", APPLICATION, _NO_APPLICATION, holds=holds)


def _option(name: str, to: str, missing: str, *by: str, separator: str = "", holds: str = "") -> Reference:
    return Reference(f"settings[name={name}].value", to, missing, by or ("id",), holds, separator=separator)


RULES = {
    INSTANCE: Rules(
        Calls(EC2, "RunInstances", "DescribeInstances", "ModifyInstanceAttribute", "TerminateInstances"),
        identity="i-{hex17}",
        outputs={
            "arn": "arn:aws:ec2:{region}:{account}:instance/{id}",
            "instanceState": "running",
            "primaryNetworkInterfaceId": "eni-{hex17}",
            "privateIp": "10.0.0.{octet}",
            "privateDns": "ip-10-0-0-{octet}.{region}.compute.internal",
            "publicIp": "203.0.113.{octet}",
            "publicDns": "ec2-203-0-113-{octet}.{region}.compute.amazonaws.com",
            "availabilityZone": "{region}a",
            "subnetId": "{defaultSubnet}",
        },
        defaults={"getPasswordData": False, "sourceDestCheck": True, "tenancy": "default"},
        replace=frozenset(
            {
                "ami",
                "associatePublicIpAddress",
                "availabilityZone",
                "ephemeralBlockDevices",
                "hibernation",
                "keyName",
                "launchTemplate.id",
                "launchTemplate.name",
                "privateIp",
                "rootBlockDevice.encrypted",
                "rootBlockDevice.kmsKeyId",
                "subnetId",
            }
        ),
        replace_if={"userDataReplaceOnChange": ("userData", "userDataBase64")},
        choices={"tenancy": ("default", "dedicated", "host"), "rootBlockDevice.volumeType": _VOLUMES, **_METADATA},
        ranges={"metadataOptions.httpPutResponseHopLimit": (1, 64)},
        patterns={"instanceType": _INSTANCE_TYPE, "ami": _AMI},
        conflicts=(
            ("userData", "userDataBase64"),
            ("networkInterfaces", "subnetId"),
            ("networkInterfaces", "vpcSecurityGroupIds"),
        ),
        any_of=(("ami", "launchTemplate"), ("instanceType", "launchTemplate")),
        checks=(
            checks.user_data("userData", encoded=False),
            checks.user_data("userDataBase64", encoded=True),
            checks.tags,
        ),
        references=(
            Reference("subnetId", SUBNET, NO_SUBNET, holds=in_use("subnet")),
            Reference("vpcSecurityGroupIds[]", SECURITY_GROUP, NO_GROUP, holds=GROUP_IN_USE),
            Reference("iamInstanceProfile", PROFILE, _NO_PROFILE, ("id", "name")),
            Reference("launchTemplate.id", TEMPLATE, _NO_TEMPLATE),
        ),
        protected=(
            "disableApiTermination",
            "OperationNotPermitted: The instance '{id}' may not be terminated while 'disableApiTermination' is set.",
        ),
        quota="VcpuLimitExceeded: You have requested more vCPU capacity than your current vCPU limit allows for the "
        "instance bucket that the specified instance type belongs to.",
        seconds=Seconds(30, 20, 40),
    ),
    TEMPLATE: Rules(
        Calls(
            EC2,
            "CreateLaunchTemplate",
            "DescribeLaunchTemplates",
            "CreateLaunchTemplateVersion",
            "DeleteLaunchTemplate",
        ),
        identity="lt-{hex17}",
        outputs={"arn": "arn:aws:ec2:{region}:{account}:launch-template/{id}", "latestVersion": 1, "defaultVersion": 1},
        renewed=frozenset({"latestVersion", "defaultVersion"}),
        name=Name(
            128,
            "letters, digits and ().-/_",
            r"[a-zA-Z0-9().\-/_]+",
            "EC2 API reference, CreateLaunchTemplate",
            shortest=3,
        ),
        replace=frozenset({"name", "namePrefix"}),
        conflicts=(
            ("name", "namePrefix"),
            ("vpcSecurityGroupIds", "networkInterfaces[].securityGroups"),
            ("securityGroupNames", "vpcSecurityGroupIds"),
            ("defaultVersion", "updateDefaultVersion"),
            ("instanceType", "instanceRequirements"),
        ),
        choices={"blockDeviceMappings[].ebs.volumeType": _VOLUMES, **_METADATA},
        ranges={"metadataOptions.httpPutResponseHopLimit": (1, 64)},
        patterns={
            "instanceType": _INSTANCE_TYPE,
            "imageId": _AMI,
            "blockDeviceMappings[].ebs.encrypted": ("true|false|", "true or false"),
        },
        checks=(checks.user_data("userData", encoded=True), checks.tags),
        references=(
            Reference("iamInstanceProfile.arn", PROFILE, _NO_PROFILE, ("arn",)),
            Reference("iamInstanceProfile.name", PROFILE, _NO_PROFILE),
            Reference("vpcSecurityGroupIds[]", SECURITY_GROUP, NO_GROUP),
            Reference("networkInterfaces[].securityGroups[]", SECURITY_GROUP, NO_GROUP),
        ),
        unique=("name",),
        exists="InvalidLaunchTemplateName.AlreadyExistsException: Launch template name already in use.",
    ),
    GROUP: Rules(
        Calls(
            AUTO_SCALING,
            "CreateAutoScalingGroup",
            "DescribeAutoScalingGroups",
            "UpdateAutoScalingGroup",
            "DeleteAutoScalingGroup",
        ),
        identity="{name}",
        outputs={
            "arn": "arn:aws:autoscaling:{region}:{account}:autoScalingGroup:{uuid}:autoScalingGroupName/{name}",
            "desiredCapacity": "{minSize}",
            "healthCheckType": "EC2",
            "defaultCooldown": 300,
        },
        defaults={"forceDelete": False, "waitForCapacityTimeout": "10m", "healthCheckGracePeriod": 300},
        name=Name(
            255,
            "printable characters without :",
            r"[^\x00-\x1f:]+",
            "Auto Scaling API reference, CreateAutoScalingGroup",
        ),
        replace=frozenset({"name", "namePrefix", "placementGroup"}),
        conflicts=(("name", "namePrefix"), ("availabilityZones", "vpcZoneIdentifiers")),
        one_of=(("launchTemplate", "launchConfiguration", "mixedInstancesPolicy"),),
        choices={"healthCheckType": ("EC2", "ELB", "EBS", "VPC_LATTICE", "EC2,ELB")},
        ranges={
            "minSize": (0, 10_000),
            "maxSize": (0, 10_000),
            "instanceMaintenancePolicy.minHealthyPercentage": (-1, 100),
            "instanceMaintenancePolicy.maxHealthyPercentage": (-1, 200),
            "instanceRefresh.preferences.minHealthyPercentage": _PERCENT,
            "instanceRefresh.preferences.maxHealthyPercentage": (100, 200),
        },
        checks=(checks.sizes,),
        references=(
            Reference("launchTemplate.id", TEMPLATE, _NO_TEMPLATE),
            Reference("launchTemplate.name", TEMPLATE, _NO_TEMPLATE, ("name",)),
            Reference(
                "vpcZoneIdentifiers[]",
                SUBNET,
                "ValidationError: The subnet ID '{value}' does not exist",
                holds=in_use("subnet"),
            ),
            Reference(
                "targetGroupArns[]",
                _TARGETS,
                "ValidationError: One or more target groups not found. Validation Error",
            ),
        ),
        exists="AlreadyExists: AutoScalingGroup by this name already exists: {id}",
        seconds=Seconds(120, 10, 120),
    ),
    "aws:autoscaling/policy:Policy": Rules(
        Calls(AUTO_SCALING, "PutScalingPolicy", "DescribePolicies", "PutScalingPolicy", "DeletePolicy"),
        identity="{name}",
        key="{autoscalingGroupName}:{name}",
        outputs={
            "arn": "arn:aws:autoscaling:{region}:{account}:scalingPolicy:{uuid}:autoScalingGroupName/"
            "{autoscalingGroupName}:policyName/{name}",
        },
        defaults={"policyType": "SimpleScaling", "enabled": True},
        name=Name(255, "printable characters", r"[^\x00-\x1f]+", "Auto Scaling API reference, PutScalingPolicy"),
        replace=frozenset({"name", "autoscalingGroupName"}),
        choices={"policyType": ("SimpleScaling", "StepScaling", "TargetTrackingScaling", "PredictiveScaling")},
        references=(
            Reference("autoscalingGroupName", GROUP, "ValidationError: AutoScalingGroup name not found - {value}"),
        ),
    ),
    APPLICATION: Rules(
        Calls(ELASTIC_BEANSTALK, "CreateApplication", "DescribeApplications", "UpdateApplication", "DeleteApplication"),
        identity="{name}",
        outputs={"arn": "arn:aws:elasticbeanstalk:{region}:{account}:application/{name}"},
        name=Name(100, "anything but a slash", r"[^/]+", "Elastic Beanstalk API reference, CreateApplication"),
        replace=frozenset({"name"}),
        checks=(checks.tags,),
        references=(
            Reference(
                "appversionLifecycle.serviceRole",
                "aws:iam/role:Role",
                "InvalidParameterValue: The service role {value} does not exist",
                ("arn",),
            ),
        ),
        exists="InvalidParameterValue: Application {id} already exists.",
        quota="TooManyApplicationsException: The limit of applications for this account has been reached.",
    ),
    VERSION: Rules(
        Calls(
            ELASTIC_BEANSTALK,
            "CreateApplicationVersion",
            "DescribeApplicationVersions",
            "UpdateApplicationVersion",
            "DeleteApplicationVersion",
        ),
        identity="{name}",
        key="{application}/{name}",
        outputs={"arn": "arn:aws:elasticbeanstalk:{region}:{account}:applicationversion/{application}/{name}"},
        defaults={"forceDelete": False, "process": False},
        name=Name(100, "anything but a slash", r"[^/]+", "Elastic Beanstalk API reference, CreateApplicationVersion"),
        replace=frozenset({"application", "bucket", "key", "name"}),
        checks=(checks.tags,),
        references=(
            _of_application(""),
            Reference(
                "bucket", BUCKET, "InvalidParameterValue: Unable to download from S3 location (Bucket: {value})."
            ),
            Reference(
                "key",
                OBJECT,
                "InvalidParameterCombination: Unable to download from S3 location (Key: {value}). Reason: Not Found",
                ("key",),
                within=(("bucket", "bucket"),),
            ),
        ),
        exists="InvalidParameterValue: Application Version {id} already exists.",
        quota="TooManyApplicationVersionsException: You cannot have more than 1000 application versions. Either remove "
        "some versions or request a limit increase.",
    ),
    ENVIRONMENT: Rules(
        Calls(
            ELASTIC_BEANSTALK, "CreateEnvironment", "DescribeEnvironments", "UpdateEnvironment", "TerminateEnvironment"
        ),
        identity="e-{letters10}",
        outputs={
            "arn": "arn:aws:elasticbeanstalk:{region}:{account}:environment/{application}/{name}",
            "cnamePrefix": "{name}",
            "cname": "{cnamePrefix}.{letters8}.{region}.elasticbeanstalk.com",
            "endpointUrl": "awseb-{letters8}.{region}.elb.amazonaws.com",
            "autoscalingGroups": ["awseb-{id}-stack-AWSEBAutoScalingGroup-{letters10}"],
            "instances": ["i-{hex17}"],
        },
        renewed=frozenset({"allSettings", "instances"}),
        defaults={"tier": "WebServer", "waitForReadyTimeout": "20m"},
        name=Name(
            40,
            "letters, digits and hyphens, and neither begin nor end with a hyphen",
            r"[A-Za-z0-9][A-Za-z0-9-]*[A-Za-z0-9]",
            "Elastic Beanstalk API reference, CreateEnvironment",
            shortest=4,
            automatic=40,
        ),
        replace=frozenset({"name", "cnamePrefix", "tier"}),
        choices={"tier": ("WebServer", "Worker")},
        patterns={
            "cnamePrefix": (r"[A-Za-z0-9][A-Za-z0-9-]{2,61}[A-Za-z0-9]", "4 to 63 letters, digits and hyphens"),
            "waitForReadyTimeout": (r"(\d+(\.\d+)?(ms|s|m|h))+", "a duration such as 20m"),
            "pollInterval": (r"1[0-9]s|[2-9][0-9]s|1[0-7][0-9]s|180s", "10s to 180s"),
            "solutionStackName": (r"64bit .+ v[\d.]+ running .+", "the name of a solution stack"),
        },
        conflicts=(("solutionStackName", "platformArn", "templateName"),),
        checks=(checks.tags, options.check),
        references=(
            _of_application(
                "OperationInProgressException: Unable to delete application {id} because it has running environments."
            ),
            Reference(
                "version",
                VERSION,
                "InvalidParameterValue: No Application Version named '{value}' found.",
                holds="SourceBundleDeletionException: Application version {id} is currently deployed to an environment",
                within=(("application", "application"),),
                unless="forceDelete",
            ),
            _option(
                "IamInstanceProfile",
                PROFILE,
                "ConfigurationValidationException: Configuration validation exception: Invalid option value: '{value}' "
                f"(Namespace: '{_LAUNCH}', OptionName: 'IamInstanceProfile'): The instance profile does not exist",
                "id",
                "arn",
            ),
            _option(
                "ServiceRole",
                "aws:iam/role:Role",
                "InvalidParameterValue: The role {value} cannot be found",
                "id",
                "arn",
            ),
            _option("Subnets", SUBNET, NO_SUBNET, separator=",", holds=in_use("subnet")),
            _option("ELBSubnets", SUBNET, NO_SUBNET, separator=",", holds=in_use("subnet")),
            _option("VPCId", "aws:ec2/vpc:Vpc", "InvalidVpcID.NotFound: The vpc ID '{value}' does not exist"),
            _option("SecurityGroups", SECURITY_GROUP, NO_GROUP, "id", "name", separator=",", holds=GROUP_IN_USE),
        ),
        unique=("name",),
        exists="InvalidParameterValue: Environment {name} already exists.",
        quota="TooManyEnvironmentsException: The limit of environments for this account has been reached.",
        seconds=Seconds(300, 240, 180),
    ),
}
