import java.io.File;
import java.security.Key;
import java.security.cert.X509Certificate;
import java.util.List;
import javax.xml.XMLConstants;
import javax.xml.crypto.AlgorithmMethod;
import javax.xml.crypto.KeySelector;
import javax.xml.crypto.KeySelectorResult;
import javax.xml.crypto.XMLCryptoContext;
import javax.xml.crypto.dsig.XMLSignature;
import javax.xml.crypto.dsig.XMLSignatureFactory;
import javax.xml.crypto.dsig.dom.DOMValidateContext;
import javax.xml.crypto.dsig.keyinfo.KeyInfo;
import javax.xml.crypto.dsig.keyinfo.X509Data;
import javax.xml.parsers.DocumentBuilderFactory;
import org.w3c.dom.Document;
import org.w3c.dom.Element;
import org.w3c.dom.NodeList;

/** Judges every ds:Signature of the files named, by the JDK's own XML signature API with secure validation on. */
public class Verify {
    public static void main(String[] files) throws Exception {
        for (String file : files) {
            String verdict;
            try {
                verdict = verify(new File(file)) ? "VALID" : "INVALID";
            } catch (Exception error) {
                verdict = "ERROR " + error;
            }
            System.out.println(new File(file).getName() + " " + verdict);
        }
    }

    private static boolean verify(File file) throws Exception {
        DocumentBuilderFactory factory = DocumentBuilderFactory.newInstance();
        factory.setNamespaceAware(true);
        factory.setFeature(XMLConstants.FEATURE_SECURE_PROCESSING, true);
        Document document = factory.newDocumentBuilder().parse(file);
        NodeList signatures = document.getElementsByTagNameNS(XMLSignature.XMLNS, "Signature");
        boolean valid = signatures.getLength() > 0;
        for (int i = 0; i < signatures.getLength(); i++) {
            DOMValidateContext context = new DOMValidateContext(new FirstCertificate(), signatures.item(i));
            context.setProperty("org.jcp.xml.dsig.secureValidation", Boolean.TRUE);
            registerIds(document.getDocumentElement(), context);
            XMLSignature signature = XMLSignatureFactory.getInstance("DOM").unmarshalXMLSignature(context);
            valid &= signature.validate(context);
        }
        return valid;
    }

    private static void registerIds(Element element, DOMValidateContext context) {
        for (String name : new String[] {"id", "Id"}) {
            if (element.hasAttribute(name)) {
                context.setIdAttributeNS(element, null, name);
            }
        }
        NodeList children = element.getChildNodes();
        for (int i = 0; i < children.getLength(); i++) {
            if (children.item(i) instanceof Element child) {
                registerIds(child, context);
            }
        }
    }

    /** The key of the first certificate: integrity alone, as the path is no matter of this API. */
    private static class FirstCertificate extends KeySelector {
        @Override
        public KeySelectorResult select(KeyInfo info, Purpose purpose, AlgorithmMethod method, XMLCryptoContext context) {
            for (Object content : info.getContent()) {
                if (content instanceof X509Data data) {
                    for (Object item : (List<?>) data.getContent()) {
                        if (item instanceof X509Certificate certificate) {
                            Key key = certificate.getPublicKey();
                            return () -> key;
                        }
                    }
                }
            }
            return () -> null;
        }
    }
}
