# What many functions in Python do before their first call: they make clients.
import boto3

s3 = boto3.client("s3", region_name="us-east-1", aws_access_key_id="x", aws_secret_access_key="x")
tables = boto3.client("dynamodb", region_name="us-east-1", aws_access_key_id="x", aws_secret_access_key="x")


def handler(event, context):
    return {"statusCode": 200, "body": "ok"}
