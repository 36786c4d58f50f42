import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import eu.europa.esig.dss.signature.AbstractSignatureParameters;
import eu.europa.esig.dss.cades.CAdESSignatureParameters;
import eu.europa.esig.dss.cades.signature.CAdESService;
import eu.europa.esig.dss.enumerations.DigestAlgorithm;
import eu.europa.esig.dss.enumerations.SignatureLevel;
import eu.europa.esig.dss.enumerations.SignaturePackaging;
import eu.europa.esig.dss.enumerations.SubIndication;
import eu.europa.esig.dss.model.DSSDocument;
import eu.europa.esig.dss.model.FileDocument;
import eu.europa.esig.dss.model.SignatureValue;
import eu.europa.esig.dss.pades.PAdESSignatureParameters;
import eu.europa.esig.dss.pades.signature.PAdESService;
import eu.europa.esig.dss.signature.AbstractSignatureService;
import eu.europa.esig.dss.simplereport.SimpleReport;
import eu.europa.esig.dss.spi.DSSUtils;
import eu.europa.esig.dss.spi.validation.CertificateVerifier;
import eu.europa.esig.dss.spi.validation.CommonCertificateVerifier;
import eu.europa.esig.dss.spi.x509.CommonCertificateSource;
import eu.europa.esig.dss.spi.x509.CommonTrustedCertificateSource;
import eu.europa.esig.dss.spi.x509.revocation.crl.ExternalResourcesCRLSource;
import eu.europa.esig.dss.spi.x509.tsp.KeyEntityTSPSource;
import eu.europa.esig.dss.token.DSSPrivateKeyEntry;
import eu.europa.esig.dss.token.Pkcs12SignatureToken;
import eu.europa.esig.dss.validation.SignedDocumentValidator;
import eu.europa.esig.dss.xades.XAdESSignatureParameters;
import eu.europa.esig.dss.xades.signature.XAdESService;
import eu.europa.esig.validationreport.ValidationReportFacade;
import java.io.BufferedReader;
import java.io.File;
import java.io.FileInputStream;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.security.KeyStore;
import java.time.OffsetDateTime;
import java.util.ArrayList;
import java.util.Date;
import java.util.List;

/**
 * One JSON job a line in, one JSON answer a line out.
 *
 * {"do": "judge", "file": F, "time": T, "trusted": [F], "certificates": [F], "crls": [F]}
 *     -> {"signatures": [{"indication", "sub_indication", "format", "best_signature_time", "errors"}]}
 * {"do": "read-report", "file": F}  a validation report of ETSI TS 119 102-2, read and judged by its XML schema
 *     -> {"signatures": [{"indication", "sub_indication"}]}
 * {"do": "sign", "form": "XAdES|CAdES|PAdES", "file": F, "out": F, "level": "B|T|LT|LTA", "time": T, "key": P12,
 *  "tsa": P12, "password": P, and as above}
 */
public final class Dss {
    private static final ObjectMapper JSON = new ObjectMapper();

    public static void main(String[] args) throws Exception {
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line = in.readLine(); line != null; line = in.readLine()) {
            JsonNode job = JSON.readTree(line);
            ObjectNode answer = JSON.createObjectNode();
            try {
                switch (job.get("do").asText()) {
                    case "sign" -> sign(job, answer);
                    case "judge" -> judge(job, answer);
                    case "read-report" -> readReport(job, answer);
                    default -> throw new IllegalArgumentException(line);
                }
            } catch (Exception | Error e) {
                answer.put("error", e.getClass().getSimpleName() + ": " + e.getMessage());
            }
            System.out.println(JSON.writeValueAsString(answer));
            System.out.flush();
        }
    }

    private static void judge(JsonNode job, ObjectNode answer) throws Exception {
        SignedDocumentValidator validator =
                SignedDocumentValidator.fromDocument(new FileDocument(job.get("file").asText()));
        validator.setCertificateVerifier(verifier(job));
        validator.setValidationTime(time(job));
        SimpleReport report = validator.validateDocument().getSimpleReport();
        ArrayNode signatures = answer.putArray("signatures");
        for (String id : report.getSignatureIdList()) {
            SubIndication sub = report.getSubIndication(id);
            Date best = report.getBestSignatureTime(id);
            ObjectNode told = signatures.addObject();
            told.put("indication", report.getIndication(id).toString());
            told.put("sub_indication", sub == null ? null : sub.toString());
            told.put("format", report.getSignatureFormat(id).toString());
            told.put("best_signature_time", best == null ? null : best.toInstant().toString());
            ArrayNode errors = told.putArray("errors");
            report.getAdESValidationErrors(id).forEach(each -> errors.add(each.getValue()));
        }
    }

    private static void readReport(JsonNode job, ObjectNode answer) throws Exception {
        ArrayNode signatures = answer.putArray("signatures");
        ValidationReportFacade.newFacade()
                .unmarshall(new File(job.get("file").asText()))
                .getSignatureValidationReport()
                .forEach(report -> {
                    ObjectNode told = signatures.addObject();
                    told.put("indication", report.getSignatureValidationStatus().getMainIndication().toString());
                    ArrayNode subs = told.putArray("sub_indications");
                    report.getSignatureValidationStatus().getSubIndication().forEach(sub -> subs.add(sub.toString()));
                });
    }

    private static void sign(JsonNode job, ObjectNode answer) throws Exception {
        char[] password = job.get("password").asText().toCharArray();
        try (Pkcs12SignatureToken token = new Pkcs12SignatureToken(
                new File(job.get("key").asText()), new KeyStore.PasswordProtection(password))) {
            DSSPrivateKeyEntry key = token.getKeys().get(0);
            KeyStore store = KeyStore.getInstance("PKCS12");
            store.load(new FileInputStream(job.get("tsa").asText()), password);
            KeyEntityTSPSource tsa = new KeyEntityTSPSource(store, store.aliases().nextElement(), password);
            tsa.setTsaPolicy("1.3.6.1.4.1.32473.1");
            switch (job.get("form").asText()) {
                case "XAdES" -> {
                    XAdESSignatureParameters parameters = new XAdESSignatureParameters();
                    parameters.setSignaturePackaging(SignaturePackaging.ENVELOPED);
                    make(job, token, key, parameters, new XAdESService(verifier(job)), tsa);
                }
                case "CAdES" -> {
                    CAdESSignatureParameters parameters = new CAdESSignatureParameters();
                    parameters.setSignaturePackaging(SignaturePackaging.ENVELOPING);
                    make(job, token, key, parameters, new CAdESService(verifier(job)), tsa);
                }
                case "PAdES" ->
                    make(job, token, key, new PAdESSignatureParameters(), new PAdESService(verifier(job)), tsa);
                default -> throw new IllegalArgumentException(job.toString());
            }
            answer.put("signed", job.get("out").asText());
        }
    }

    private static <P extends AbstractSignatureParameters<?>> void make(
            JsonNode job,
            Pkcs12SignatureToken token,
            DSSPrivateKeyEntry key,
            P parameters,
            AbstractSignatureService<P, ?> service,
            KeyEntityTSPSource tsa)
            throws Exception {
        String level = job.get("form").asText() + "-BASELINE-" + job.get("level").asText();
        parameters.setSignatureLevel(SignatureLevel.valueByName(level));
        parameters.setDigestAlgorithm(DigestAlgorithm.SHA256);
        parameters.setSigningCertificate(key.getCertificate());
        parameters.setCertificateChain(key.getCertificateChain());
        parameters.bLevel().setSigningDate(time(job));
        service.setTspSource(tsa);
        DSSDocument document = new FileDocument(job.get("file").asText());
        SignatureValue value = token.sign(service.getDataToSign(document, parameters), DigestAlgorithm.SHA256, key);
        service.signDocument(document, parameters, value).save(job.get("out").asText());
    }

    private static CertificateVerifier verifier(JsonNode job) throws Exception {
        CommonTrustedCertificateSource trusted = new CommonTrustedCertificateSource();
        for (JsonNode file : job.get("trusted")) {
            trusted.addCertificate(DSSUtils.loadCertificate(new File(file.asText())));
        }
        CommonCertificateSource others = new CommonCertificateSource();
        for (JsonNode file : job.get("certificates")) {
            others.addCertificate(DSSUtils.loadCertificate(new File(file.asText())));
        }
        List<DSSDocument> crls = new ArrayList<>();
        job.get("crls").forEach(file -> crls.add(new FileDocument(file.asText())));
        CommonCertificateVerifier verifier = new CommonCertificateVerifier();
        verifier.setAIASource(null);
        verifier.setTrustedCertSources(trusted);
        verifier.setAdjunctCertSources(others);
        verifier.setCrlSource(new ExternalResourcesCRLSource(crls.toArray(new DSSDocument[0])));
        return verifier;
    }

    private static Date time(JsonNode job) {
        return Date.from(OffsetDateTime.parse(job.get("time").asText()).toInstant());
    }
}
