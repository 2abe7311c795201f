package hearth;

import com.fasterxml.jackson.core.JsonGenerator;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.databind.BeanDescription;
import com.fasterxml.jackson.databind.DeserializationConfig;
import com.fasterxml.jackson.databind.DeserializationContext;
import com.fasterxml.jackson.databind.JavaType;
import com.fasterxml.jackson.databind.JsonDeserializer;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.JsonSerializer;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.PropertyNamingStrategy;
import com.fasterxml.jackson.databind.SerializerProvider;
import com.fasterxml.jackson.databind.cfg.MapperConfig;
import com.fasterxml.jackson.databind.deser.BeanDeserializerModifier;
import com.fasterxml.jackson.databind.introspect.AnnotatedField;
import com.fasterxml.jackson.databind.introspect.AnnotatedMethod;
import com.fasterxml.jackson.databind.module.SimpleModule;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import java.io.IOException;
import java.lang.reflect.Constructor;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Type;
import java.util.Arrays;
import java.util.Date;
import java.util.Map;
import java.util.Set;

/**
 * The classes of aws-lambda-java-events, whose members are spelt as the events' only
 * nearly: Lambda's runtime knows them by their names.
 */
final class Events {
    private static final String PACKAGE = "com.amazonaws.services.lambda.runtime.events.";
    private static final String S3 = "S3EventNotification";
    // Also where version 2 of the library had its models from: AWS's SDK.
    private static final Set<String> PACKAGES = Set.of(PACKAGE, PACKAGE + "models.s3.", PACKAGE + "models.dynamodb.",
            "com.amazonaws.services.s3.event.", "com.amazonaws.services.dynamodbv2.model.");

    private static final Set<String> KNOWN = Set.of("APIGatewayProxyRequestEvent", "APIGatewayProxyResponseEvent",
            "CloudFormationCustomResourceEvent", "CloudFrontEvent", "CloudWatchLogsEvent", "CodeCommitEvent", "CognitoEvent", "ConfigEvent",
            "ConnectEvent", "DynamodbEvent", "DynamodbTimeWindowEvent", "IoTButtonEvent", "KinesisEvent", "KinesisTimeWindowEvent",
            "KinesisFirehoseEvent", "LambdaDestinationEvent", "LexEvent", "ScheduledEvent", "SecretsManagerRotationEvent", S3, "S3Event",
            "SNSEvent", "SQSEvent");

    /** Classes whose members begin with a capital letter. */
    private static final Set<String> CAPITALS = Set.of("CloudFormationCustomResourceEvent", "ConnectEvent", "ConnectEvent$Details",
            "ConnectEvent$ContactData", "ConnectEvent$CustomerEndpoint", "ConnectEvent$SystemEndpoint", "ConnectEvent$Queue", "StreamRecord",
            "AttributeValue", "SecretsManagerRotationEvent", "SNSEvent", "SNSEvent$SNSRecord", "SNSEvent$SNS", "SNSEvent$MessageAttribute");

    /** Members that are called otherwise, by class and member; "*" is any class. */
    private static final Map<String, String> NAMES = Map.ofEntries(
            Map.entry("*.records", "Records"),
            Map.entry("*.eventSourceArn", "eventSourceARN"),
            Map.entry("*.userIdentityArn", "userIdentityARN"),
            Map.entry("CloudFormationCustomResourceEvent.responseUrl", "ResponseURL"),
            Map.entry("CloudWatchLogsEvent.awsLogs", "awslogs"),
            Map.entry("CodeCommitEvent$Record.codeCommit", "codecommit"),
            Map.entry("ConnectEvent$ContactData.instanceArn", "InstanceARN"),
            Map.entry("ScheduledEvent.detailType", "detail-type"),
            Map.entry("SNSEvent$SNSRecord.SNS", "Sns"),
            Map.entry(S3 + "$ResponseElementsEntity.xAmzId2", "x-amz-id-2"),
            Map.entry(S3 + "$ResponseElementsEntity.xAmzRequestId", "x-amz-request-id"));

    /** Of the classes of S3, which have no setters: what their constructors take. */
    private static final Map<String, String[]> CONSTRUCTORS = Map.of(
            S3, new String[] {"Records"},
            "S3Event", new String[] {"Records"},
            S3 + "$S3EventNotificationRecord", new String[] {"awsRegion", "eventName", "eventSource", "eventTime", "eventVersion",
                "requestParameters", "responseElements", "s3", "userIdentity"},
            S3 + "$S3Entity", new String[] {"configurationId", "bucket", "object", "s3SchemaVersion"},
            S3 + "$S3BucketEntity", new String[] {"name", "ownerIdentity", "arn"},
            S3 + "$S3ObjectEntity", new String[] {"key", "size", "eTag", "versionId", "sequencer"},
            S3 + "$RequestParametersEntity", new String[] {"sourceIPAddress"},
            S3 + "$ResponseElementsEntity", new String[] {"x-amz-id-2", "x-amz-request-id"},
            S3 + "$UserIdentityEntity", new String[] {"principalId"});

    private Events() {}

    /** The name of a class of events without its package, "" for any other class. */
    private static String name(Class<?> type) {
        String full = type.getName();
        int end = full.lastIndexOf('.') + 1;
        return PACKAGES.contains(full.substring(0, end)) ? full.substring(end) : "";
    }

    static boolean areOf(Class<?> type) {
        return KNOWN.contains(name(type));
    }

    /** A mapper for one class of events. Times are seconds in them. */
    static ObjectMapper mapper(ObjectMapper plain, Class<?> type, ClassLoader functions) {
        SimpleModule module = new SimpleModule("hearth-events");
        module.setDeserializerModifier(new Constructors());
        module.addSerializer(Date.class, new JsonSerializer<>() {
            @Override
            public void serialize(Date date, JsonGenerator out, SerializerProvider provider) throws IOException {
                out.writeNumber(date.getTime() / 1000.0);
            }
        });
        module.addDeserializer(Date.class, new JsonDeserializer<>() {
            @Override
            public Date deserialize(JsonParser in, DeserializationContext context) throws IOException {
                double seconds = in.getValueAsDouble();
                return seconds == 0 ? null : new Date((long) (seconds * 1000));
            }
        });
        try {
            addJoda(module, Class.forName("org.joda.time.DateTime", false, functions));
        } catch (ClassNotFoundException e) {
            // Then this class of events has none.
        }
        ObjectMapper mapper = plain.copy();
        mapper.registerModule(module);
        mapper.setPropertyNamingStrategy(new Names());
        return mapper;
    }

    // Joda's DateTime is the time of some events. It is the function's own.
    private static <T> void addJoda(SimpleModule module, Class<T> time) {
        module.addDeserializer(time, new JsonDeserializer<>() {
            @Override
            public T deserialize(JsonParser in, DeserializationContext context) throws IOException {
                try {
                    return time.cast(time.getMethod("parse", String.class).invoke(null, in.getValueAsString()));
                } catch (ReflectiveOperationException e) {
                    throw context.weirdStringException(in.getText(), time, String.valueOf(e.getCause()));
                }
            }
        });
        module.addSerializer(time, new JsonSerializer<>() {
            @Override
            public void serialize(T value, JsonGenerator out, SerializerProvider provider) throws IOException {
                out.writeString(value.toString());
            }
        });
    }

    private static final class Names extends PropertyNamingStrategy {
        private static final long serialVersionUID = 1;

        @Override
        public String nameForField(MapperConfig<?> config, AnnotatedField field, String name) {
            return name(field.getDeclaringClass(), name);
        }

        @Override
        public String nameForGetterMethod(MapperConfig<?> config, AnnotatedMethod method, String name) {
            return name(method.getDeclaringClass(), name);
        }

        @Override
        public String nameForSetterMethod(MapperConfig<?> config, AnnotatedMethod method, String name) {
            return name(method.getDeclaringClass(), name);
        }

        private static String name(Class<?> type, String member) {
            String of = Events.name(type);
            if (of.isEmpty()) {
                return member;
            }
            String special = NAMES.getOrDefault(of + "." + member, NAMES.get("*." + member));
            if (special != null) {
                return special;
            }
            return CAPITALS.contains(of) ? Character.toUpperCase(member.charAt(0)) + member.substring(1) : member;
        }
    }

    private static final class Constructors extends BeanDeserializerModifier {
        private static final long serialVersionUID = 1;

        @Override
        public JsonDeserializer<?> modifyDeserializer(DeserializationConfig config, BeanDescription bean, JsonDeserializer<?> usual) {
            String[] names = CONSTRUCTORS.get(name(bean.getBeanClass()));
            return names == null ? usual : new ByConstructor(bean.getBeanClass(), names);
        }
    }

    /** Makes an object by its longest constructor. What the event lacks is empty. */
    private static final class ByConstructor extends JsonDeserializer<Object> {
        private final Constructor<?> constructor;
        private final String[] names;

        ByConstructor(Class<?> type, String[] names) {
            Constructor<?> best = null;
            for (Constructor<?> c : type.getConstructors()) {
                if (c.getParameterCount() <= names.length && (best == null || c.getParameterCount() > best.getParameterCount()
                        || c.getParameterCount() == best.getParameterCount() && takesLong(c))) {
                    best = c;
                }
            }
            this.constructor = best;
            this.names = names;
        }

        // Of an older and a newer constructor for an object's size.
        private static boolean takesLong(Constructor<?> c) {
            return Arrays.asList(c.getParameterTypes()).contains(Long.class);
        }

        @Override
        public Object deserialize(JsonParser in, DeserializationContext context) throws IOException {
            JsonNode object = context.readTree(in);
            Type[] types = constructor.getGenericParameterTypes();
            Object[] arguments = new Object[types.length];
            for (int i = 0; i < types.length; i++) {
                JavaType type = context.getTypeFactory().constructType(types[i]);
                JsonNode value = object.path(names[i]);
                if (!value.isMissingNode() && !value.isNull()) {
                    arguments[i] = context.readTreeAsValue(value, type);
                } else if (type.getRawClass() == String.class) {
                    arguments[i] = "";
                } else if (type.getRawClass() == Long.class) {
                    arguments[i] = 0L;
                } else if (type.isContainerType()) {
                    arguments[i] = context.readTreeAsValue(JsonNodeFactory.instance.arrayNode(), type);
                } else {
                    arguments[i] = context.readTreeAsValue(JsonNodeFactory.instance.objectNode(), type);
                }
            }
            try {
                return constructor.newInstance(arguments);
            } catch (InvocationTargetException e) {
                return context.handleInstantiationProblem(constructor.getDeclaringClass(), object, e.getCause());
            } catch (ReflectiveOperationException e) {
                return context.handleInstantiationProblem(constructor.getDeclaringClass(), object, e);
            }
        }
    }
}
