import ChatPlatforms
import Foundation
import TestSupport

extension Platform {
    /// Makes an adapter whose secrets may be in no output of the run.
    func adapter(planting settings: [String: String]) throws -> any PlatformAdapter {
        for name in adapterType.settings.filter(\.isSecret).map(\.name) {
            guard let secret = settings[name] else { continue }
            Canary.planted(secret, as: "\(rawValue) \(name)")
            if let key = Data(base64Encoded: secret.replacing("whsec_", with: "")) {
                Canary.plant(Array(key), as: "\(rawValue) \(name), decoded")
            }
        }
        return try adapterType.init(PlatformSettings(settings))
    }
}
