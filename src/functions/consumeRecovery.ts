import { recovery } from '../shared/services/recovery.ts';
import { schedule } from '../shared/timer.ts';

schedule('consumeRecovery', '0 */5 * * * *', (call) => recovery()(call));
