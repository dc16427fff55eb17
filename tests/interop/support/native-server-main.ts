// A server without Python in a process of its own: serves until it is killed, or the process that started it ends.
import { startNativeServer, type NativeServerOptions } from './native-server.ts'

process.once('disconnect', () => process.exit(1))
const { peer, addresses } = await startNativeServer(JSON.parse(process.argv[2]!) as NativeServerOptions)
process.send!({ peer, addresses })
