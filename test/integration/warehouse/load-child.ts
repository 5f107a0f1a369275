/** Loads a purchases file in a process of its own: `node load-child.js <root> <file> <dt>`. Says `ready`, then `done`. */
import { writeSync } from 'node:fs';
import { Warehouse } from '../../../platform/warehouse/warehouse.js';
import { TEST_ZONE } from '../../support/catalog.js';

const [root = '', file = '', dt = ''] = process.argv.slice(2);
const warehouse = await Warehouse.open({ root, zone: TEST_ZONE, memoryLimitBytes: 5e8, threads: 2 });
writeSync(1, 'ready\n');
await warehouse.loadPurchases(file, { fileName: 'purchases.txt', dt });
writeSync(1, 'done\n');
warehouse.close();
