/// A fault on the way through a message, before it is known what else could be read.
struct Fault: Error {
    var place: MessageDecodingError.Place
    var offset: Int
    var reason: MessageDecodingError.Reason
}
