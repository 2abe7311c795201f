import json

import humanize


def handler(event, context):
    size = int((event.get("queryStringParameters") or {}).get("bytes", "0"))
    return {
        "statusCode": 200,
        "headers": {"content-type": "application/json"},
        "body": json.dumps({"size": humanize.naturalsize(size)}),
    }
