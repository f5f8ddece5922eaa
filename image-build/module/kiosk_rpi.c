// SPDX-License-Identifier: GPL-2.0
/*
 * Two things of the Raspberry Pi's firmware that a mainline kernel does not offer:
 *
 * - "tryboot" in the argument of reboot(2), LINUX_REBOOT_CMD_RESTART2, starts the other slot once: the firmware is told
 *   by the property SET_REBOOT_FLAGS and obeys it at the [tryboot] section of autoboot.txt.
 * - /sys/devices/platform/kiosk_rpi/get_throttled is the firmware's word on its supply voltage, in hexadecimal: bit 0
 *   too low now, bit 16 too low since the start.
 *
 * Tags: github.com/raspberrypi/firmware/wiki/Mailbox-property-interface and the firmware's autoboot.txt documentation.
 */
#include <linux/module.h>
#include <linux/notifier.h>
#include <linux/of.h>
#include <linux/platform_device.h>
#include <linux/reboot.h>
#include <linux/string.h>
#include <soc/bcm2835/raspberrypi-firmware.h>

#define KIOSK_GET_THROTTLED 0x00030046
#define KIOSK_SET_REBOOT_FLAGS 0x00038064
#define KIOSK_TRYBOOT 0x1

static struct rpi_firmware *firmware;
static struct platform_device *device;

static ssize_t get_throttled_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	__le32 value = 0;
	int failed = rpi_firmware_property(firmware, KIOSK_GET_THROTTLED, &value, sizeof(value));

	return failed ? failed : sysfs_emit(buf, "%x\n", le32_to_cpu(value));
}
static DEVICE_ATTR_RO(get_throttled);

static int before_reboot(struct notifier_block *block, unsigned long action, void *command)
{
	__le32 flags = cpu_to_le32(KIOSK_TRYBOOT);

	if (action == SYS_RESTART && command && strstr(command, "tryboot") &&
	    rpi_firmware_property(firmware, KIOSK_SET_REBOOT_FLAGS, &flags, sizeof(flags)))
		pr_err("kiosk_rpi: the firmware does not take the tryboot flag\n");
	return NOTIFY_DONE;
}

static struct notifier_block notifier = { .notifier_call = before_reboot };

static int __init kiosk_rpi_init(void)
{
	struct device_node *node = of_find_compatible_node(NULL, NULL, "raspberrypi,bcm2835-firmware");
	int failed;

	if (!node)
		return -ENODEV;
	firmware = rpi_firmware_get(node);
	of_node_put(node);
	if (!firmware)
		return -ENODEV;
	device = platform_device_register_simple("kiosk_rpi", PLATFORM_DEVID_NONE, NULL, 0);
	if (IS_ERR(device)) {
		failed = PTR_ERR(device);
		goto put;
	}
	failed = device_create_file(&device->dev, &dev_attr_get_throttled);
	if (failed)
		goto unregister;
	failed = register_reboot_notifier(&notifier);
	if (!failed)
		return 0;
	device_remove_file(&device->dev, &dev_attr_get_throttled);
unregister:
	platform_device_unregister(device);
put:
	rpi_firmware_put(firmware);
	return failed;
}

static void __exit kiosk_rpi_exit(void)
{
	unregister_reboot_notifier(&notifier);
	device_remove_file(&device->dev, &dev_attr_get_throttled);
	platform_device_unregister(device);
	rpi_firmware_put(firmware);
}

module_init(kiosk_rpi_init);
module_exit(kiosk_rpi_exit);
MODULE_DESCRIPTION("Raspberry Pi firmware: tryboot and under-voltage");
MODULE_LICENSE("GPL");
