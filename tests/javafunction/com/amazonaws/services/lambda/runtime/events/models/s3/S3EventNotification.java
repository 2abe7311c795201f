// The shape of aws-lambda-java-events, whose jar is in no registry that tests reach.
package com.amazonaws.services.lambda.runtime.events.models.s3;

import java.util.List;

public class S3EventNotification {
    private final List<S3EventNotificationRecord> records;

    public S3EventNotification(List<S3EventNotificationRecord> records) {
        this.records = records;
    }

    public List<S3EventNotificationRecord> getRecords() {
        return records;
    }

    public static class UserIdentityEntity {
        public UserIdentityEntity(String principalId) {}
    }

    public static class RequestParametersEntity {
        public RequestParametersEntity(String sourceIPAddress) {}
    }

    public static class ResponseElementsEntity {
        private final String xAmzRequestId;

        public ResponseElementsEntity(String xAmzId2, String xAmzRequestId) {
            this.xAmzRequestId = xAmzRequestId;
        }

        public String getxAmzRequestId() {
            return xAmzRequestId;
        }
    }

    public static class S3BucketEntity {
        private final String name;

        public S3BucketEntity(String name, UserIdentityEntity ownerIdentity, String arn) {
            this.name = name;
        }

        public String getName() {
            return name;
        }
    }

    public static class S3ObjectEntity {
        private final String key;
        private final Long size;
        private final String versionId;

        public S3ObjectEntity(String key, Integer size, String eTag, String versionId) {
            throw new IllegalStateException("the older constructor");
        }

        public S3ObjectEntity(String key, Long size, String eTag, String versionId, String sequencer) {
            this.key = key;
            this.size = size;
            this.versionId = versionId;
        }

        public String getKey() {
            return key;
        }

        public Long getSizeAsLong() {
            return size;
        }

        public String getVersionId() {
            return versionId;
        }
    }

    public static class S3Entity {
        private final S3BucketEntity bucket;
        private final S3ObjectEntity object;

        public S3Entity(String configurationId, S3BucketEntity bucket, S3ObjectEntity object, String s3SchemaVersion) {
            this.bucket = bucket;
            this.object = object;
        }

        public S3BucketEntity getBucket() {
            return bucket;
        }

        public S3ObjectEntity getObject() {
            return object;
        }
    }

    public static class S3EventNotificationRecord {
        private final ResponseElementsEntity responseElements;
        private final S3Entity s3;

        public S3EventNotificationRecord(String awsRegion, String eventName, String eventSource, String eventTime, String eventVersion,
                RequestParametersEntity requestParameters, ResponseElementsEntity responseElements, S3Entity s3, UserIdentityEntity userIdentity) {
            this.responseElements = responseElements;
            this.s3 = s3;
        }

        public ResponseElementsEntity getResponseElements() {
            return responseElements;
        }

        public S3Entity getS3() {
            return s3;
        }
    }
}
