"""The context object of an invocation.

Attributes as documented at
https://docs.aws.amazon.com/lambda/latest/dg/python-context.html
"""

from time import time


class LambdaContext:
    def __init__(self, function, request_id, deadline, arn, client_context, identity):
        self.aws_request_id = request_id
        self.log_group_name = function.log_group_name
        self.log_stream_name = function.log_stream_name
        self.function_name = function.function_name
        self.memory_limit_in_mb = function.memory_limit_in_mb
        self.function_version = function.function_version
        self.invoked_function_arn = arn or function.invoked_function_arn
        self.tenant_id = None
        self.client_context = None if client_context is None else ClientContext(client_context)
        self.identity = CognitoIdentity(identity)
        self._deadline = deadline
        self._log = function.log

    def get_remaining_time_in_millis(self):
        return max(0, int(self._deadline) - int(time() * 1000))

    def log(self, msg):
        self._log(str(msg))

    def __repr__(self):
        return "LambdaContext([%s])" % ",".join(
            "%s=%s" % item for item in vars(self).items() if item[0][0] != "_"
        )


class _Fields:
    """An object with the fields that a JSON object may have; None where it has not."""

    __slots__ = ()

    def __init__(self, values):
        for name in self.__slots__:
            setattr(self, name, values.get(name))

    def __repr__(self):
        fields = ",".join("%s=%s" % (name, getattr(self, name)) for name in self.__slots__)
        return "%s([%s])" % (type(self).__name__, fields)


class ClientContext(_Fields):
    __slots__ = ("custom", "env", "client")

    def __init__(self, values):
        super().__init__(values)
        if self.client is not None:
            self.client = Client(self.client)


class Client(_Fields):
    __slots__ = ("installation_id", "app_title", "app_version_name", "app_version_code", "app_package_name")


class CognitoIdentity:
    __slots__ = ("cognito_identity_id", "cognito_identity_pool_id")

    def __init__(self, values):
        self.cognito_identity_id = self.cognito_identity_pool_id = None
        if values is not None:
            self.cognito_identity_id = values.get("cognitoIdentityId")
            self.cognito_identity_pool_id = values.get("cognitoIdentityPoolId")

    def __repr__(self):
        return "CognitoIdentity([cognito_identity_id=%s,cognito_identity_pool_id=%s])" % (
            self.cognito_identity_id,
            self.cognito_identity_pool_id,
        )
